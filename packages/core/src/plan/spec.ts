/**
 * The shape of a plan as a client or a model writes it.
 *
 * Purpose: one zod schema for the plan in HTTP bodies, in model output and in the store. Boundary:
 * shape only; what the graph must satisfy is checked in `graph/`.
 *
 * 1. Unknown fields are refused and named.
 * 2. A reference or a condition is `{"$cel": "…"}` and nothing else.
 */
import { z } from "zod";
import { agentDefinition, agentName } from "../agent/definition.ts";
import { celExpression } from "./expression.ts";
import { fallbackModels, modelRef } from "./model-ref.ts";

export const stepId = z
  .string()
  .min(1)
  .max(80)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, "letters, digits, _ and -, starting with a letter or a digit");

/** Exponential backoff with full jitter: attempt n waits random(0, min(cap, base × factor^(n−1))). */
export const retryPolicy = z.strictObject({
  max_attempts: z.int().min(1).max(100).optional(),
  base_ms: z.int().min(0).max(3_600_000).optional(),
  factor: z.number().min(1).max(10).optional(),
  cap_ms: z.int().min(0).max(86_400_000).optional(),
});
export type RetryPolicySpec = z.infer<typeof retryPolicy>;

export const dependency = z.union([stepId, z.strictObject({ step: stepId, when: celExpression.optional() })], {
  error: 'a step id, or {"step": "<id>", "when": {"$cel": "<condition>"}}',
});

export const joinRule = z.union([z.enum(["all", "any"]), z.strictObject({ n: z.int().min(1).max(100_000) })], {
  error: '"all", "any" or {"n": <number of dependencies>}',
});
export type JoinRule = z.infer<typeof joinRule>;

const common = {
  description: z.string().max(4_000).optional(),
  retry: retryPolicy.optional(),
  timeout_ms: z
    .int()
    .min(1)
    .max(7 * 86_400_000)
    .optional(),
  on_exhausted: z.enum(["fail", "hold"]).optional(),
  pool: z.string().min(1).max(60).optional(),
};

const llmFields = {
  type: z.literal("llm"),
  prompt: z.union([z.string().min(1).max(100_000), celExpression], { error: 'a text, or {"$cel": "<expression>"}' }),
  model: modelRef.optional(),
  /** Goes before the task's. */
  fallback_models: fallbackModels.optional(),
  /** JSON Schema (2020-12 subset) the answer must match; repaired with the errors fed back. */
  output_schema: z.record(z.string(), z.unknown()).optional(),
  max_output_tokens: z.int().min(1).max(200_000).optional(),
};
const agentFields = {
  type: z.literal("agent"),
  /** One that the installation has, by its name, or one of the plan's own. */
  agent: z.union([agentName, agentDefinition], { error: "the name of an agent, or a definition" }),
  /** Those that it, or one of them, may call; the installation's need not stand here. */
  agents: z.array(agentDefinition).max(100).optional(),
  prompt: z.union([z.string().min(1).max(100_000), celExpression], { error: 'a text, or {"$cel": "<expression>"}' }),
};
const toolFields = {
  type: z.literal("tool"),
  tool: z.string().min(1).max(120),
  arguments: z.record(z.string(), z.unknown()).optional(),
};
const checkpointFields = { type: z.literal("checkpoint") };
const summarizationFields = {
  type: z.literal("summarization"),
  max_tokens: z.int().min(50).max(100_000).optional(),
};

/** What a map runs per item. `item` and `index` are bound in its expressions. */
export const itemStep = z.discriminatedUnion("type", [
  z.strictObject({ ...common, ...llmFields }),
  z.strictObject({ ...common, ...toolFields }),
]);
export type ItemStep = z.infer<typeof itemStep>;

const mapFields = {
  type: z.literal("map"),
  over: z.union([celExpression, z.array(z.unknown()).max(10_000)], { error: 'a list, or {"$cel": "<expression>"}' }),
  step: itemStep,
  concurrency: z.int().min(1).max(10_000).optional(),
};

const placed = {
  ...common,
  id: stepId,
  depends_on: z.array(dependency).max(100_000).optional(),
  join: joinRule.optional(),
};

export const stepSpec = z.discriminatedUnion("type", [
  z.strictObject({ ...placed, ...llmFields }),
  z.strictObject({ ...placed, ...agentFields }),
  z.strictObject({ ...placed, ...toolFields }),
  z.strictObject({ ...placed, ...mapFields }),
  z.strictObject({ ...placed, ...checkpointFields }),
  z.strictObject({ ...placed, ...summarizationFields }),
]);
export type StepSpec = z.infer<typeof stepSpec>;

export const planSpec = z.strictObject({
  steps: z.array(stepSpec).min(1, "a plan needs at least one step").max(100_000),
  /** The task's result; by default the output of the last step without successors. */
  result: celExpression.optional(),
});
export type PlanSpec = z.infer<typeof planSpec>;
