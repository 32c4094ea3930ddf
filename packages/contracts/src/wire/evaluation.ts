/** What a model decides, asked without a task: nothing is kept and nothing runs. */
import { modelRef, planSpec } from "@baton/core/plan";
import { z } from "zod";
import { costUsd, count, goal, json } from "./scalars.ts";

const model = modelRef.optional().meta({ description: "The installation's own unless given." });

export const evaluateDecisionBody = z.strictObject({ message: goal, model });

export const evaluatePlanBody = z.strictObject({
  goal,
  input: json.optional(),
  model,
  tools: z
    .array(z.string().min(1).max(120))
    .max(500)
    .optional()
    .meta({ description: "Names of the tools that the plan may use; all unless given." }),
});

const error = z
  .strictObject({ code: z.string(), message: z.string() })
  .meta({ description: "Why there is no answer: a model that fails is what an evaluation is about." });

const cost = {
  model: modelRef.meta({ description: "The model that was asked, or would have been: clear wording decides alone." }),
  calls: z.strictObject({
    count,
    inputTokens: count,
    outputTokens: count,
    estimated: z.boolean().meta({ description: "Some provider did not say, so tokens are an estimate." }),
    costUsd,
  }),
  durationMs: z.number().min(0),
  offline: z.boolean().meta({ description: "No language model took part." }),
};

export const evaluatedDecision = z.strictObject({
  decision: z
    .strictObject({
      orchestrate: z.boolean(),
      confidence: z.number().min(0).max(1),
      reasons: z.array(z.string()),
      rule: z
        .string()
        .optional()
        .meta({ description: "The sign in the wording that decided; absent when a model did." }),
    })
    .optional()
    .meta({ description: "Beside an error: the wording decided, because the model gave no usable answer." }),
  error: error.optional(),
  ...cost,
});
export type EvaluatedDecision = z.infer<typeof evaluatedDecision>;

export const evaluatedPlan = z.strictObject({
  plan: planSpec.optional().meta({ description: "It has passed every check that the plan of a task passes." }),
  rejected: z
    .array(z.strictObject({ problems: z.array(z.string()) }))
    .meta({ description: "What was wrong with the answers before it, one entry each." }),
  estimatedDurationMs: count.optional(),
  error: error.optional(),
  ...cost,
});
export type EvaluatedPlan = z.infer<typeof evaluatedPlan>;
