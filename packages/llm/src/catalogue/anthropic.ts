/**
 * Anthropic's models: context windows and list prices. Edit here when they change.
 *
 * As of 2026-10-10, from the model overview and pricing pages of platform.claude.com; USD per million
 * tokens, standard tier, no batch discount. `null` where the price is not published.
 */
import type { ModelEntry, Price } from "./entry.ts";

export const anthropicPricesAsOf = "2026-10-10";

/** As the provider's SDK asks for them where a request names none. */
const long = { contextWindow: 1_000_000, maxOutputTokens: 128_000, images: true };
const medium = { contextWindow: 200_000, maxOutputTokens: 64_000, images: true };

/** What is written to the cache for five minutes costs a quarter more than other input. */
const price = (input: number, output: number, cachedInput: number): Price => ({
  input,
  output,
  cachedInput,
  cacheWrite: input * 1.25,
});

export const anthropicModels: readonly ModelEntry[] = [
  { id: "claude-sonnet-5-5", ...long, price: price(2, 10, 0.1) },
  { id: "claude-opus-5-5", ...long, price: price(4, 20, 0.2) },
  {
    id: "claude-haiku-5-5",
    ...long,
    price: price(0.1, 0.5, 0.01),
    longPrompt: { inputTokens: 100_000, price: price(0.5, 2.5, 0.05) },
  },
  { id: "claude-fable-5-2", ...long, price: null },
  { id: "claude-fable-5-1", ...long, price: price(10, 50, 0.25) },
  { id: "claude-fable-5", ...long, price: price(10, 50, 1) },
  { id: "claude-sonnet-5", ...long, price: price(2, 10, 0.2) },
  { id: "claude-opus-5", ...long, price: price(5, 25, 0.5) },
  { id: "claude-opus-4-8", ...long, price: price(5, 25, 0.5) },
  { id: "claude-opus-4-7", ...long, price: price(5, 25, 0.5) },
  { id: "claude-opus-4-6", ...long, price: price(5, 25, 0.5) },
  { id: "claude-sonnet-4-6", ...long, price: price(3, 15, 0.3) },
  { id: "claude-opus-4-5", ...medium, price: price(5, 25, 0.5) },
  { id: "claude-opus-4-5-20251101", ...medium, price: price(5, 25, 0.5) },
  { id: "claude-sonnet-4-5", ...medium, price: price(3, 15, 0.3) },
  { id: "claude-sonnet-4-5-20250929", ...medium, price: price(3, 15, 0.3) },
  { id: "claude-haiku-4-5", ...medium, price: price(1, 5, 0.1) },
  { id: "claude-haiku-4-5-20251001", ...medium, price: price(1, 5, 0.1) },
];
