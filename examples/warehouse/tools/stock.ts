import { defineTool } from "@baton/tools";
import { z } from "zod";

const quantities: Readonly<Record<string, number>> = { bolt: 3, nut: 480, washer: 0 };

/** Only looks: it may run as often as it takes. */
export const findStock = defineTool({
  name: "stock.find",
  description: "Says how many pieces of an article are in stock.",
  effect: "read",
  input: z.strictObject({ article: z.string() }),
  output: z.strictObject({ article: z.string(), quantity: z.int() }),
  execute: ({ article }) => ({ article, quantity: quantities[article] ?? 0 }),
});
