import { z } from "zod";

/** A model by the name of its provider and its own. */
export const modelRef = z.strictObject({
  provider: z.string().min(1).max(60),
  model: z.string().min(1).max(120),
});
export type ModelRef = z.infer<typeof modelRef>;
