/** One model as the catalogue knows it, and what a call to it costs. */
import type { ModelUsage } from "@baton/core/ports";

/** US dollars per million tokens. */
export interface Price {
  readonly input: number;
  readonly cachedInput: number;
  /** Of what a request writes to the cache; absent: as any input. */
  readonly cacheWrite?: number;
  readonly output: number;
}

export interface ModelEntry {
  readonly id: string;
  /** Tokens that prompt and answer share. */
  readonly contextWindow: number;
  /** The longest answer that the model writes; absent = not known. */
  readonly maxOutputTokens?: number;
  /** Messages may hold images; absent = not known, and then none is sent. */
  readonly images?: boolean;
  /** null = not known, and then no cost is shown. */
  readonly price: Price | null;
  /** Replaces `price` for prompts longer than `inputTokens`. */
  readonly longPrompt?: { readonly inputTokens: number; readonly price: Price };
}

/** `inputTokens` of a usage includes its cached ones. */
export function costUsd(entry: ModelEntry, usage: ModelUsage): number | null {
  const long = entry.longPrompt !== undefined && usage.inputTokens > entry.longPrompt.inputTokens;
  const price = long ? (entry.longPrompt?.price ?? null) : entry.price;
  if (price === null) return null;
  const { cachedInputTokens: read, cacheWriteTokens: written = 0 } = usage;
  const fresh = Math.max(0, usage.inputTokens - read - written);
  const input = fresh * price.input + read * price.cachedInput + written * (price.cacheWrite ?? price.input);
  return (input + usage.outputTokens * price.output) / 1_000_000;
}
