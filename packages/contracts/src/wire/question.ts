/** What steps ask people: questions of agents, and calls that wait for an approval. */
import { toolEffects } from "@baton/core/ports";
import { questionKinds, questionStates } from "@baton/core/questions";
import { z } from "zod";
import { count, cursor, json, nextCursor, pageLimit, timestamp, uuid } from "./scalars.ts";
import { stepState, taskState } from "./task.ts";

const kind = z.enum(questionKinds).meta({
  description: "`question`: an agent asks (`ask_user`); `approval`: a call of a tool waits for a person's word.",
});
const state = z.enum(questionStates).meta({
  description: "`expired`: nobody answered in time; `withdrawn`: its task was cancelled.",
});

export const question = z.strictObject({
  id: uuid,
  taskId: uuid,
  stepId: uuid,
  stepKey: z.string(),
  callNo: count,
  kind,
  state,
  text: z.string().optional().meta({ description: "Of a question." }),
  options: z.array(z.string()).optional().meta({ description: "Answers that the agent proposes; others are welcome." }),
  tool: z.string().optional().meta({ description: "Of an approval: the call, exactly as it would be made." }),
  effect: z.enum(toolEffects).optional(),
  arguments: json.optional(),
  approvers: z
    .array(z.string())
    .meta({ description: "Ids or names of API keys that may answer; empty: any that may write." }),
  quorum: count.meta({ description: "How many have to approve the same arguments." }),
  votes: z.array(z.strictObject({ by: z.string(), at: timestamp, arguments: json })),
  answer: json.optional().meta({ description: "The text of the answer, or the arguments that were approved." }),
  reason: z.string().optional(),
  closedBy: z.string().optional(),
  createdAt: timestamp,
  expiresAt: timestamp.optional(),
  closedAt: timestamp.optional(),
});
export type Question = z.infer<typeof question>;

export const listQuestionsQuery = z.strictObject({
  state: state.optional(),
  kind: kind.optional(),
  taskId: uuid.optional(),
  limit: pageLimit,
  cursor,
});
export const questionPage = z.strictObject({
  questions: z.array(question).meta({ description: "The newest first." }),
  nextCursor,
});

const reason = z.string().min(1).max(2_000);
export const answerQuestionBody = z.strictObject({ answer: z.string().min(1).max(100_000) });
export const approveBody = z.strictObject({
  arguments: z.record(z.string(), json).optional().meta({
    description:
      "Other arguments than were asked for; the call is made with these. With a quorum, earlier approvals of others no longer count.",
  }),
  reason: reason.optional(),
});
export const rejectBody = z.strictObject({ reason });

export const questionAnswer = z.strictObject({
  id: uuid,
  taskId: uuid,
  stepId: uuid,
  state,
  votes: count,
  quorum: count,
  stepState: stepState.meta({ description: "The step's state now." }),
  taskState,
  changed: z.boolean(),
});
