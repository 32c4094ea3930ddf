/** Dead letters: steps that are out of attempts, and what a person does with them. */
import { stepKinds } from "@baton/core/lifecycle";
import { stepTypes } from "@baton/core/ports";
import { z } from "zod";
import { effectCall } from "./effect.ts";
import { count, cursor, json, nextCursor, pageLimit, timestamp, uuid } from "./scalars.ts";
import { deadLetterAction, stepError, stepState, taskState } from "./task.ts";

const errorCode = z.string().min(1).max(100);
const reason = z.string().min(1).max(2_000);
const groupId = z.string().regex(/^[0-9a-f]{12}$/, "the `id` of a group");

export const deadLetter = z.strictObject({
  id: uuid.meta({ description: "The step's id." }),
  task: z.strictObject({ id: uuid, goal: z.string(), state: taskState }),
  step: z.strictObject({
    key: z.string(),
    kind: z.enum(stepKinds),
    type: z.enum(stepTypes),
    tool: z.string().optional(),
  }),
  error: stepError.meta({ description: "What ended its last attempt, with the chain of causes." }),
  failedAt: timestamp,
  attemptNo: count.meta({ description: "How many attempts it has had in all." }),
  failureCount: count.meta({ description: "Failures since it was last reopened." }),
  crashCount: count.meta({ description: "Workers that died of it since it was last reopened." }),
  onExhausted: z
    .enum(["fail", "hold"])
    .meta({ description: "`fail`: the task rests; `hold`: the rest of it goes on." }),
  actions: z.array(deadLetterAction),
});
export type DeadLetter = z.infer<typeof deadLetter>;

const attempt = z.strictObject({
  attemptNo: count,
  worker: z.string().optional(),
  startedAt: timestamp.optional(),
  endedAt: timestamp.optional(),
  end: z.enum(["failed", "crashed", "released"]).optional(),
  error: stepError.optional(),
});

export const deadLetterDetails = deadLetter.extend({
  attempts: z.array(attempt).meta({ description: "Oldest first; the newest 100 or more." }),
  config: z.record(z.string(), json).meta({
    description: "The step as it is performed: expressions are replaced by what they come to where that is known.",
  }),
  unevaluated: z
    .array(z.strictObject({ pointer: z.string(), reason: z.string() }))
    .meta({ description: "Expressions left in `config`, by JSON pointer, with the reason." }),
  item: z.strictObject({ index: count, value: json }).optional(),
  effects: z.array(effectCall).meta({ description: "Calls to the outside that its attempts began." }),
});
export type DeadLetterDetails = z.infer<typeof deadLetterDetails>;

const deadLetterGroup = z.strictObject({
  id: groupId,
  code: z.string(),
  message: z
    .string()
    .meta({ description: "What its messages have in common: ids, numbers and quoted texts are left out." }),
  type: z.enum(stepTypes),
  tool: z.string().optional(),
  count,
  taskCount: count,
  firstFailedAt: timestamp,
  lastFailedAt: timestamp,
  letters: z.array(deadLetter).meta({ description: "The newest first." }),
  nextCursor: nextCursor.meta({
    description: "More letters: hand it in as `cursor`, with `group`; null when these are all.",
  }),
});
export type DeadLetterGroup = z.infer<typeof deadLetterGroup>;

export const listDeadLettersQuery = z.strictObject({
  code: errorCode.optional(),
  taskId: uuid.optional(),
  since: z.iso
    .datetime({ offset: true, error: "a time like 2026-11-20T12:00:00Z" })
    .optional()
    .meta({ description: "Failed then or later; RFC 3339." }),
  group: groupId.optional().meta({ description: "One group; `limit` and `cursor` page through its letters." }),
  limit: pageLimit.meta({ description: "Groups of the page, or letters when `group` is given." }),
  cursor,
});
export const deadLetterPage = z.strictObject({
  total: count.meta({ description: "Dead letters that the filters leave." }),
  groups: z.array(deadLetterGroup).meta({ description: "The newest failure first." }),
  nextCursor: nextCursor.meta({ description: "More groups; null on the last page, and when `group` is given." }),
});

export const retryLetterBody = z.strictObject({ reason: reason.optional() });

export const retryLettersBody = z
  .strictObject({
    code: errorCode.optional(),
    taskId: uuid.optional(),
    group: groupId.optional(),
    ids: z.array(uuid).min(1).max(1_000).optional(),
    reason: reason.optional(),
  })
  .refine(
    ({ code, taskId, group, ids }) => [code, taskId, group, ids].some((field) => field !== undefined),
    "say which: `code`, `taskId`, `group` or `ids`; several narrow each other",
  );
export const lettersRetried = z.strictObject({
  retriedSteps: count,
  retriedTasks: count.meta({ description: "Tasks that these steps belong to." }),
});

export const resolveLetterBody = z
  .strictObject({
    output: json
      .optional()
      .meta({ description: "Completes the step with this output, of at most 32 MB; null is one." }),
    skip: z.literal(true).optional().meta({ description: "Skips the step, and what cannot run without it." }),
    reason,
  })
  .superRefine((body, context) => {
    const isCompletion = "output" in body;
    if (isCompletion && body.skip !== undefined)
      context.addIssue({ code: "custom", path: ["skip"], message: "give `output` or `skip`, not both" });
    if (!isCompletion && body.skip === undefined)
      context.addIssue({ code: "custom", path: ["output"], message: "give an `output`, or `skip: true`" });
  });

export const letterAnswer = z.strictObject({
  id: uuid,
  taskId: uuid,
  state: stepState.meta({ description: "The step's state now." }),
  taskState,
  changed: z.boolean(),
});
