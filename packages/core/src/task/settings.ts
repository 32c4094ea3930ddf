/**
 * What can be set per task, with the names and defaults users of this system know.
 * The same names are accepted per process in the configuration; a task's own value wins.
 */
import { z } from "zod";
import { approvalRule } from "../questions/rules.ts";
import { taskBudget } from "../budget/caps.ts";
import { fallbackModels, modelRef } from "../plan/model-ref.ts";
import { retryPolicy } from "../plan/spec.ts";

export const taskSettings = z.strictObject({
  /** Steps of this task that may be under way at once (dispatched or running); absent = no limit of its own. */
  concurrency: z.int().min(1).max(10_000).optional(),
  /** Model-planned steps at the most; items of a map do not count. */
  maxSteps: z.int().min(1).max(100_000).default(50),
  /** Tokens of one prompt at the most; from 80 % on the context is summarised. */
  contextWindowLimit: z.int().min(500).max(10_000_000).default(100_000),
  /** A checkpoint after every so many settled steps. */
  checkpointInterval: z.int().min(1).max(100_000).default(5),
  maxPlanRevisions: z.int().min(0).max(50).default(5),
  /** The older name of `budget.tokens`; where both are given the smaller one counts. */
  maxTokens: z.int().min(1).optional(),
  /** What the task may spend with everything that it starts, and what becomes of a call that does not fit. */
  budget: taskBudget.optional(),
  /** Model calls of this task in any span of `duration` ms, counted over all workers; beside the installation's limiter. */
  limiter: z.strictObject({ max: z.int().min(1).max(1_000_000), duration: z.int().min(1).max(3_600_000) }).optional(),
  model: modelRef.optional(),
  /** Asked in this order when a model is not to be had; visible in the trace, and paid for as what they are. */
  fallbackModels: fallbackModels.optional(),
  retry: retryPolicy.optional(),
  /** Whether a model looks at the results before a goal counts as reached. */
  evaluate: z.boolean().default(true),
  /** The goal is planned and nothing of the plan is performed: it stands in the output of the step `plan`. */
  planOnly: z.boolean().optional(),
  /** Names of the tools the plan may use; absent = all. */
  tools: z.array(z.string().min(1).max(120)).max(500).optional(),
  /** The folder that file tools may read, as the workers see it. */
  workspace: z.string().min(1).max(4_000).optional(),
  /** Calls of tools that wait for a person; the first rule that matches decides, before those of an agent. */
  approvals: z.array(approvalRule).max(50).optional(),
  priority: z.int().min(-100).max(100).default(0),
});
export type TaskSettings = z.infer<typeof taskSettings>;
export type TaskSettingsInput = z.input<typeof taskSettings>;
