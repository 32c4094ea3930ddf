/**
 * The most that a request may cost: its input counted with everything that is sent, its output by what is asked for or
 * by what the model can write.
 *
 * 1. Input is estimated from above where the provider does not count; near the step to a higher price, that one counts.
 * 2. What may be written to a cache is priced as if it all were.
 * 3. Where nobody knows how long an answer may be, it is what the context window leaves with a margin for the estimate.
 */
import { roundedUsd } from "@baton/core/budget";
import type { CallBound, ModelRequest } from "@baton/core/ports";
import type { ModelEntry, Price } from "./catalogue/entry.ts";
import { asksForCache } from "./providers/cache.ts";
import { estimateTextTokens } from "./tokens.ts";

/** An answer that a server which says nothing of its window is asked for. */
const usualOutputTokens = 4_096;
const inputMargin = 1.25;

/** Tokens of what a request carries beside its messages. */
export function besideMessages({ tools = [], outputSchema }: ModelRequest): number {
  const parts = [...tools, ...(outputSchema === undefined ? [] : [outputSchema])];
  // The provider adds words of its own to tools.
  return parts.reduce((sum, part) => sum + 20 + estimateTextTokens(JSON.stringify(part)), parts.length === 0 ? 0 : 350);
}

export function boundOf(
  request: ModelRequest,
  entry: ModelEntry,
  counted: { readonly tokens: number; readonly exact: boolean },
): Omit<CallBound, "offline"> {
  const { tokens: inputTokens, exact } = counted;
  const price = priceFor(entry, inputTokens, exact);
  const inputPrice = asksForCache(request) ? Math.max(price?.input ?? 0, price?.cacheWrite ?? 0) : (price?.input ?? 0);
  return {
    model: request.model,
    inputTokens,
    exact,
    maxOutputTokens: request.maxOutputTokens ?? longestAnswer(entry, inputTokens),
    price:
      price === null
        ? null
        : {
            inputUsd: roundedUsd((inputTokens * inputPrice) / 1e6),
            usdPerOutputToken: roundedUsd(price.output / 1e6),
          },
  };
}

function longestAnswer({ contextWindow, maxOutputTokens }: ModelEntry, inputTokens: number): number {
  const beside = contextWindow - inputTokens;
  // A prompt that does not fit says that the window is larger than is known.
  if (beside <= 0) return usualOutputTokens;
  const left = Math.max(1, contextWindow - Math.ceil(inputTokens * inputMargin), Math.floor(beside / 2));
  return Math.min(maxOutputTokens ?? left, left);
}

function priceFor({ price, longPrompt }: ModelEntry, inputTokens: number, exact: boolean): Price | null {
  if (price === null || longPrompt === undefined) return price;
  return inputTokens * (exact ? 1 : inputMargin) > longPrompt.inputTokens ? longPrompt.price : price;
}
