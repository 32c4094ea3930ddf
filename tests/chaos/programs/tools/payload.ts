import { defineTool } from "@baton/tools";
import { z } from "zod";

/** An output of an exact size. */
export const payload = defineTool({
  name: "chaos.payload",
  description: "Puts out a text that has so many bytes as JSON",
  input: z.strictObject({ bytes: z.number().int().min(2) }),
  output: z.string(),
  effect: "read",
  // Two of them are the quotes.
  execute: async ({ bytes }) => "x".repeat(bytes - 2),
});

/** What its expression made of an output that it reads. */
export const measure = defineTool({
  name: "chaos.measure",
  description: "Puts out the size that it is given",
  input: z.strictObject({ size: z.number() }),
  output: z.number(),
  effect: "read",
  execute: async ({ size }) => size,
});
