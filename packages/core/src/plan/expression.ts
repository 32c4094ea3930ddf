import { z } from "zod";

/** An expression in CEL, evaluated by the worker just before the step runs. Keeps the value's type. */
export const celExpression = z.strictObject({ $cel: z.string().min(1).max(4_000) });
export type CelExpression = z.infer<typeof celExpression>;
