import type { Question } from "@baton/contracts";
import type { QuestionRow } from "@baton/store";
import { iso, present } from "../tasks/wire.ts";

export function questionToWire(row: QuestionRow): Question {
  const { questionId: id, taskId, stepId, stepKey, callNo, kind, state, subject, approvers, quorum } = row;
  const time = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : iso(ms));
  return {
    ...{ id, taskId, stepId, stepKey, callNo, kind, state, approvers: [...approvers], quorum },
    votes: row.votes.map(({ by, at, arguments: given }) => ({ by, at: iso(at), arguments: given })),
    createdAt: iso(row.createdAt),
    ...present({
      text: "text" in subject ? subject.text : undefined,
      options: "text" in subject && subject.options !== undefined ? [...subject.options] : undefined,
      tool: "tool" in subject ? subject.tool : undefined,
      effect: "tool" in subject ? subject.effect : undefined,
      arguments: "tool" in subject ? subject.arguments : undefined,
      answer: row.answer,
      reason: row.reason,
      closedBy: row.closedBy,
      expiresAt: time(row.expiresAt),
      closedAt: time(row.closedAt),
    }),
  };
}
