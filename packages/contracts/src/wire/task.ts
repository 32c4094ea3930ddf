/** Tasks, steps and what hangs on them, as clients see them. */
import { stepKinds, stepStates, taskIntents, taskStates } from "@baton/core/lifecycle";
import type { StepState, TaskState } from "@baton/core/lifecycle";
import { planSpec } from "@baton/core/plan";
import { stepTypes } from "@baton/core/ports";
import { taskSettings } from "@baton/core/task";
import type { TaskSettingsInput } from "@baton/core/task";
import { questionKinds } from "@baton/core/questions";
import { z } from "zod";
import { costUsd, count, cursor, goal, json, nextCursor, pageLimit, threadId, timestamp, uuid } from "./scalars.ts";

export const taskState = z.enum(Object.keys(taskStates) as [TaskState, ...TaskState[]]);
export const stepState = z.enum(Object.keys(stepStates) as [StepState, ...StepState[]]);
const taskKind = z.enum(["goal", "plan", "reply"]);

const withoutDefault = (schema: z.ZodType): z.ZodType =>
  (schema instanceof z.ZodDefault ? (schema.unwrap() as z.ZodType) : schema).optional();

/** The settings a client names; what it leaves out comes from the process's configuration. */
export const settingsInput = z.strictObject(
  Object.fromEntries(Object.entries(taskSettings.shape).map(([name, schema]) => [name, withoutDefault(schema)])),
) as unknown as z.ZodType<TaskSettingsInput>;

export const createTaskBody = z
  .strictObject({
    goal: goal.optional(),
    plan: planSpec.optional(),
    input: json.optional(),
    settings: settingsInput.optional(),
    threadId: threadId.optional(),
  })
  .refine((body) => body.goal !== undefined || body.plan !== undefined, "give `goal`, or `plan`, or both");

export const stepError = z.strictObject({
  code: z.string(),
  message: z.string(),
  causes: z.array(z.strictObject({ code: z.string().optional(), name: z.string(), message: z.string() })),
});

const partial = z.strictObject({
  outputs: z
    .array(z.strictObject({ stepId: uuid, key: z.string(), output: json.optional(), outputBlobId: uuid.optional() }))
    .meta({ description: "Of completed steps of which nothing further was made; the last 20." }),
  missing: z
    .array(z.strictObject({ stepId: uuid, key: z.string(), state: stepState, why: z.string() }))
    .meta({ description: "Steps of the plan that did not end, with why; the first 100." }),
  missingSteps: count,
});

export const task = z.strictObject({
  id: uuid,
  kind: taskKind,
  goal: z.string(),
  input: json.optional(),
  state: taskState,
  intent: z.enum(taskIntents),
  settings: taskSettings,
  progress: z.int().min(0).max(100).meta({ description: "Settled steps of 100; 100 only when completed." }),
  totalSteps: count.meta({ description: "Steps of the plan and items of its maps; Baton's own steps are left out." }),
  settledSteps: count,
  runningSteps: count,
  failedSteps: count,
  revisionCount: count,
  traceNo: count.meta({ description: "The number of its newest trace." }),
  usage: z.strictObject({ inputTokens: count, outputTokens: count, costUsd }),
  offline: z.boolean().meta({ description: "True when the offline model made any decision or text of it." }),
  estimatedDurationMs: count.optional(),
  lastError: stepError.optional(),
  threadId: z.string().optional(),
  originTaskId: uuid.optional(),
  parentTaskId: uuid.optional().meta({ description: "The task of whose steps one started it: of a sub-agent's." }),
  rootTaskId: uuid.optional().meta({ description: "The task at the top of its tree, whose budget counts it." }),
  result: json.optional().meta({ description: "The plan's result; only on GET of one completed task." }),
  partial: partial
    .optional()
    .meta({ description: "What there is, and what is missing; only on GET of one task that failed or was cancelled." }),
  createdAt: timestamp,
  updatedAt: timestamp,
  startedAt: timestamp.optional(),
  finishedAt: timestamp.optional(),
});
export type Task = z.infer<typeof task>;

export const createdTask = z.strictObject({ id: uuid, kind: taskKind, state: taskState });

const states = z
  .string()
  .max(200)
  .transform((text) => text.split(","))
  .pipe(z.array(taskState).min(1))
  .meta({ description: "One state or several, separated by commas." });

export const listTasksQuery = z.strictObject({
  state: states.optional(),
  kind: taskKind.optional(),
  threadId: threadId.optional(),
  limit: pageLimit,
  cursor,
});
export const taskPage = z.strictObject({ tasks: z.array(task), nextCursor });

export const step = z.strictObject({
  id: uuid,
  position: count,
  key: z.string(),
  kind: z.enum(stepKinds),
  type: z.enum(stepTypes),
  description: z.string(),
  state: stepState,
  attemptNo: count,
  failureCount: count,
  crashCount: count,
  dependsOn: z.array(z.string()),
  parentStepId: uuid.optional(),
  itemIndex: count.optional(),
  availableAt: timestamp,
  startedAt: timestamp.optional(),
  finishedAt: timestamp.optional(),
  worker: z.string().optional(),
  error: stepError.optional(),
  output: json.optional(),
  outputSizeBytes: count,
  outputBlobId: uuid.optional().meta({ description: "Set when the output is over 64 KB: GET …/outputs/{blobId}." }),
  model: z.string().optional(),
  offline: z.boolean(),
  usage: z.strictObject({ inputTokens: count, outputTokens: count, costUsd }),
});
export type Step = z.infer<typeof step>;

export const listStepsQuery = z.strictObject({
  kind: z.enum(stepKinds).optional(),
  limit: pageLimit,
  cursor,
});
export const stepPage = z.strictObject({ steps: z.array(step), nextCursor });

export const deadLetterAction = z.enum(["resolve-call", "retry", "complete", "skip"]).meta({
  description:
    "`resolve-call` = say what became of its call in doubt, `complete` = resolve with an output, `skip` = resolve without one.",
});

const wait = z.strictObject({
  on: z.string(),
  stepId: uuid.optional(),
  stepKey: z.string().optional(),
  since: timestamp,
  detail: z.string(),
  movedBy: z.string(),
  actions: z
    .array(deadLetterAction)
    .optional()
    .meta({ description: "Of a dead letter: what a person can do with it." }),
  question: z
    .strictObject({ id: uuid, kind: z.enum(questionKinds) })
    .optional()
    .meta({ description: "What it asks people; `approve`, `reject` or `answer` closes it." }),
});
export const whyAnswer = z.strictObject({ state: taskState, waits: z.array(wait) });

export const intentBody = z.strictObject({ reason: z.string().min(1).max(2_000).optional() });
export const intentAnswer = z.strictObject({ id: uuid, state: taskState, changed: z.boolean() });

export const checkpoint = z.strictObject({
  id: uuid,
  no: count,
  traceNo: count,
  stepCount: count,
  createdAt: timestamp,
});
export const checkpointList = z.strictObject({ checkpoints: z.array(checkpoint) });
export const checkpointContext = z.strictObject({
  id: uuid,
  outputs: z.array(
    z.strictObject({
      key: z.string(),
      stepId: uuid,
      description: z.string(),
      state: stepState,
      output: json.optional(),
      outputBlobId: uuid.optional(),
      sizeBytes: count,
    }),
  ),
});

export const artifact = z.strictObject({
  id: uuid,
  stepId: uuid,
  name: z.string(),
  mediaType: z.string(),
  sizeBytes: count,
  sha256: z.string(),
  createdAt: timestamp,
});
export type Artifact = z.infer<typeof artifact>;
export const artifactList = z.strictObject({ artifacts: z.array(artifact) });
