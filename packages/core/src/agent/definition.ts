/**
 * What an agent is, as a person writes it: in a file's front matter and body, or in a request's JSON.
 *
 * Purpose: one zod schema for both. Boundary: shape only; whether its tools and its model exist is known where it runs.
 *
 * 1. Unknown fields are refused and named.
 * 2. A version of a definition never changes: a running task keeps the one it began with.
 */
import { z } from "zod";
import { approvalRule } from "../questions/rules.ts";
import { modelRef } from "../plan/model-ref.ts";

export const agentName = z
  .string()
  .min(1)
  .max(60)
  .regex(/^[a-z][a-z0-9-]*$/, "small letters, digits and -, starting with a letter");

/** `provider/model`, as on the command line, or both apart. */
const model = z.union(
  [
    modelRef,
    z
      .string()
      .regex(/^[^/]+\/.+$/)
      .transform((text) => {
        const at = text.indexOf("/");
        return { provider: text.slice(0, at), model: text.slice(at + 1) };
      })
      .pipe(modelRef),
  ],
  { error: '"<provider>/<model>", or {"provider": "…", "model": "…"}' },
);

/** Where an agent stops at the latest, whatever its task still has left. */
export const agentLimits = z.strictObject({
  /** Model calls. */
  turns: z.int().min(1).max(1_000).default(50),
  tool_calls: z.int().min(0).max(10_000).default(200),
  /** Input and output tokens of all turns. */
  tokens: z.int().min(1).optional(),
  /** US dollars of all turns. */
  usd: z.number().positive().optional(),
  /** How long a question of its own (`ask_user`) waits for an answer; absent: for as long as it takes. */
  answer_ms: z
    .int()
    .min(1_000)
    .max(90 * 86_400_000)
    .optional(),
  /** From the start of its first attempt, its waiting for people included. */
  wall_ms: z
    .int()
    .min(1)
    .max(7 * 86_400_000)
    .optional(),
});
export type AgentLimits = z.infer<typeof agentLimits>;

export const agentDefinition = z.strictObject({
  name: agentName,
  /** Of one that was created over the api; a task shows by it which one it has. */
  version: z.int().min(1).optional(),
  description: z.string().min(1).max(1_000),
  /** The body of the file: what the model is told first. */
  instructions: z.string().trim().min(1, "an agent needs instructions").max(100_000),
  /** Absent: the task's. */
  model: model.optional(),
  /** Asked in this order when its model is not to be had; absent: the task's. */
  fallback_models: z.array(model).max(5).optional(),
  /** Names of the tools it may call; nothing else is told to it, and nothing else is called for it. */
  tools: z.array(z.string().min(1).max(120)).max(200).default([]),
  /** Names of the agents that it may call: each call is a task of its own, within this one's budget. */
  agents: z.array(agentName).max(50).default([]),
  /** Calls of its tools that wait for a person. */
  approvals: z.array(approvalRule).max(50).default([]),
  limits: agentLimits.default(agentLimits.parse({})),
  /** What it can do, in words of the installation: another agent with the same ones may take its place. */
  capabilities: z.array(z.string().min(1).max(60)).max(50).default([]),
  /** JSON Schema of its answer; absent: text. */
  output_schema: z.record(z.string(), z.unknown()).optional(),
});
export type AgentDefinition = z.infer<typeof agentDefinition>;
export type AgentDefinitionInput = z.input<typeof agentDefinition>;
