/**
 * Words of people about calls, as the AI SDK's client sends them: the answer again, with parts in the state
 * `approval-responded`.
 *
 * 1. All of them are checked before the first is said.
 * 2. A person approves what was shown, nothing else: other arguments are refused here.
 * 3. A word that is said already, by whoever, changes nothing.
 */
import { isDeepStrictEqual } from "node:util";
import type { ChatBody } from "@baton/contracts";
import { BatonError } from "@baton/core";
import type { ErrorCode } from "@baton/core";
import type { QuestionRow, TaskRow } from "@baton/store";
import type { Principal } from "../access/api-key.ts";
import type { ApiDeps } from "../deps.ts";
import { refOf } from "../tasks/creation.ts";

export type AnsweredMessage = Extract<ChatBody["message"], { readonly role: "assistant" }>;

interface Word {
  readonly question: QuestionRow;
  readonly task: TaskRow;
  readonly approved: boolean;
  readonly reason: string | undefined;
  readonly pointer: string;
}

function refuse(code: ErrorCode, pointer: string, detail: string): never {
  throw new BatonError(code, detail, { problems: [{ pointer, detail }] });
}

/** Resolves to the task that goes on by the words. */
export async function sayApprovals(
  deps: ApiDeps,
  principal: Principal,
  threadId: string,
  message: AnsweredMessage,
): Promise<TaskRow> {
  const words: Word[] = [];
  for (const [index, part] of message.parts.entries()) {
    if (part.type !== "dynamic-tool" || part.state !== "approval-responded") continue;
    words.push(await wordOf(deps, principal, threadId, part, `/message/parts/${index}`));
  }
  const last = words.at(-1);
  if (last === undefined)
    refuse("invalid-request", "/message/parts", "No part is a call in the state approval-responded: nothing is said.");
  for (const word of words) await say(deps, principal, word);
  return last.task;
}

type ToolPart = Extract<AnsweredMessage["parts"][number], { readonly type: "dynamic-tool" }>;

async function wordOf(
  deps: ApiDeps,
  principal: Principal,
  threadId: string,
  { approval, input, toolName }: ToolPart,
  pointer: string,
): Promise<Word> {
  if (approval?.approved === undefined)
    refuse("invalid-request", `${pointer}/approval`, "An answered call has approval: {id, approved: true or false}.");
  const question = await deps.store.getQuestion(principal.tenantId, approval.id);
  const task = question && (await deps.store.getTask(refOf(principal, question.taskId)));
  if (question === undefined || task?.threadId !== threadId)
    refuse("not-found", `${pointer}/approval/id`, "Nothing in this thread waits under this id.");
  const { subject } = question;
  if (!("tool" in subject)) refuse("invalid-request", `${pointer}/approval/id`, "It is a question: POST …/answer.");
  if (subject.tool !== toolName || !isDeepStrictEqual(subject.arguments, input))
    refuse(
      "invalid-request",
      `${pointer}/input`,
      `It is not the call that waits. Hand it back as it was shown; POST /api/v1/questions/${question.questionId}/approve takes other arguments.`,
    );
  return { question, task, approved: approval.approved, reason: approval.reason, pointer };
}

async function say(deps: ApiDeps, principal: Principal, { question, approved, reason, pointer }: Word): Promise<void> {
  const wanted = approved ? "approved" : "rejected";
  if (question.state === wanted) return;
  const { tenantId, keyId: by, name } = principal;
  const word = approved
    ? ({ act: "approve", by, name, ...(reason !== undefined && { reason }) } as const)
    : ({ act: "reject", by, name, reason: reason ?? "Rejected in the chat." } as const);
  const said = await deps.store.answerQuestion(tenantId, question.questionId, word);
  if (said?.answer === "changed" || said?.answer === "unchanged" || said?.questionState === wanted) return;
  if (said?.answer === "forbidden")
    refuse("forbidden", `${pointer}/approval`, "This key is not among the call's approvers.");
  refuse("illegal-transition", `${pointer}/approval`, `The call was ${said?.questionState ?? "withdrawn"} meanwhile.`);
}
