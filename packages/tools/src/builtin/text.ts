import { z } from "zod";
import { defineTool } from "../definition/define.ts";
import { createLineMatcher } from "../search/matcher.ts";

export const searchText = defineTool({
  name: "text.search",
  description: "Finds the lines of a given text that contain a query, ignoring case.",
  effect: "read",
  input: z.strictObject({
    text: z.string().max(16_000_000),
    query: z.string().min(1).max(1_000),
    regex: z.boolean().default(false).describe("Take query as a JavaScript regular expression."),
    max: z.int().min(1).max(10_000).default(1_000),
  }),
  output: z.strictObject({
    matches: z.array(z.strictObject({ line: z.int(), text: z.string() })),
    truncated: z.boolean(),
  }),
  execute: async ({ text, query, regex, max }, call) => {
    await using matcher = createLineMatcher({ query, regex, signal: call.signal });
    const found = await matcher.match(text, max + 1);
    return { matches: found.slice(0, max), truncated: found.length > max };
  },
});
