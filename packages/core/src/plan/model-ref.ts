import { z } from "zod";

/** A model by the name of its provider and its own. */
export const modelRef = z.strictObject({
  provider: z.string().min(1).max(60),
  model: z.string().min(1).max(120),
});
/** Models that are asked, one after the other, when the one before is not to be had. */
export const fallbackModels = z.array(modelRef).max(5);
export type ModelRef = z.infer<typeof modelRef>;
