/** Calls to the outside: the intents and results that are kept of them, and what a person says about one in doubt. */
import { toolEffects } from "@baton/core/ports";
import { z } from "zod";
import { count, cursor, json, nextCursor, pageLimit, timestamp, uuid } from "./scalars.ts";
import { stepState, taskState } from "./task.ts";

const state = z.enum(["intent", "succeeded", "refused", "unknown"]).meta({
  description:
    "`intent`: its attempt has not told the result; `succeeded`: it took place, and is replayed, never repeated; `refused`: it did nothing, and may be made again; `unknown`: nobody can say whether it took place.",
});

/** One call of a step. */
export const effectCall = z.strictObject({
  callNo: count,
  attemptNo: count.meta({ description: "The attempt that made it last." }),
  tool: z.string(),
  effect: z.enum(toolEffects).meta({ description: "As the tool declared it." }),
  arguments: json,
  idempotencyKey: z.string().meta({ description: "Sent along by every attempt of the call." }),
  state,
  result: json.optional(),
  late: z.boolean().meta({ description: "The result came when its attempt was over." }),
  resolved: z.boolean().meta({ description: "A person said what became of it." }),
  createdAt: timestamp,
  finishedAt: timestamp.optional(),
});

export const taskEffect = effectCall.extend({
  stepId: uuid,
  stepKey: z.string(),
  stepState,
  inDoubt: z.boolean().meta({ description: "No attempt runs that could tell the result: a person may say it." }),
});
export type TaskEffect = z.infer<typeof taskEffect>;

export const listEffectsQuery = z.strictObject({ state: state.optional(), limit: pageLimit, cursor });
export const effectPage = z.strictObject({
  effects: z.array(taskEffect).meta({ description: "In the order of the steps." }),
  nextCursor,
});

const word = {
  attemptNo: count
    .min(1)
    .meta({ description: "The call's `attemptNo` as it was read: the word is about that attempt." }),
  reason: z.string().min(1).max(2_000),
};
export const resolveEffectBody = z
  .discriminatedUnion("outcome", [
    z.strictObject({
      outcome: z.literal("succeeded"),
      result: json.meta({ description: "What the tool would have returned; null is a result. At most 32 MB." }),
      ...word,
    }),
    z.strictObject({ outcome: z.literal("not-done"), ...word }),
  ])
  .superRefine((body, context) => {
    if (body.outcome === "succeeded" && body.result === undefined)
      context.addIssue({
        code: "custom",
        path: ["result"],
        message: "give what the tool would have returned; null is a result",
      });
  });

export const effectAnswer = z.strictObject({
  taskId: uuid,
  stepId: uuid,
  callNo: count,
  state,
  stepState: stepState.meta({ description: "The step's state now." }),
  taskState,
  changed: z.boolean(),
});
