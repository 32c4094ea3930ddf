/** The code of the routes about what steps ask people. */
import { BatonError } from "@baton/core";
import type { QuestionAnswer, QuestionWord } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import type { Cursors } from "../request/cursor.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { notFound } from "../tasks/code.ts";
import { questionToWire } from "./wire.ts";

type QuestionRoutes = "listQuestions" | "getQuestion" | "answerQuestion" | "approveCall" | "rejectCall";

async function list(deps: ApiDeps, cursors: Cursors, { principal, query }: Call<"listQuestions">) {
  const { tenantId } = principal;
  const { limit, state, kind, taskId } = query;
  const scope = ["questions", tenantId, state ?? "", kind ?? "", taskId ?? ""];
  const before = query.cursor === undefined ? undefined : (cursors.open(scope, query.cursor) as string);
  const rows = await deps.store.listQuestions({ tenantId, state, kind, taskId, before, limit: limit + 1 });
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? cursors.seal(scope, last.questionId) : null;
  return { status: 200 as const, body: { questions: page.map(questionToWire), nextCursor } };
}

async function get(deps: ApiDeps, { principal, params }: Call<"getQuestion">) {
  const row = await deps.store.getQuestion(principal.tenantId, params.id);
  if (row === undefined) throw notFound("question");
  return { status: 200 as const, body: questionToWire(row) };
}

/** A word without who says it. */
type Word = QuestionWord extends infer W ? (W extends QuestionWord ? Omit<W, "by" | "name"> : never) : never;

async function say(
  deps: ApiDeps,
  { principal, params }: Pick<Call<"answerQuestion">, "principal" | "params">,
  word: Word,
) {
  const { tenantId, keyId: by, name } = principal;
  const said = await deps.store.answerQuestion(tenantId, params.id, { ...word, by, name });
  if (said === undefined) throw notFound("question");
  if (said.answer === "forbidden" || said.answer === "illegal") throw refusal(said, word.act);
  const { questionState: state, votes, quorum, taskId, stepId, stepState, taskState } = said;
  const changed = said.answer === "changed";
  return {
    status: 200 as const,
    body: { id: params.id, taskId, stepId, state, votes, quorum, stepState, taskState, changed },
  };
}

function refusal({ answer, questionState, kind }: QuestionAnswer, act: QuestionWord["act"]): BatonError {
  if (answer === "forbidden") {
    return new BatonError("forbidden", "This key is not among the question's approvers.");
  }
  const why =
    questionState === "open" && (act === "answer") !== (kind === "question")
      ? kind === "question"
        ? "it is a question: POST …/answer"
        : "it is a call that waits for approval: POST …/approve or …/reject"
      : questionState === "open"
        ? "its time is over"
        : `it is ${questionState} already`;
  return new BatonError("illegal-transition", `Nothing of this kind can be said here now: ${why}.`);
}

export function questionCode(deps: ApiDeps, cursors: Cursors): Pick<RouteCode, QuestionRoutes> {
  return {
    listQuestions: (call) => list(deps, cursors, call),
    getQuestion: (call) => get(deps, call),
    answerQuestion: (call) => say(deps, call, { act: "answer", answer: call.body.answer }),
    approveCall: (call) => say(deps, call, { act: "approve", ...call.body }),
    rejectCall: (call) => say(deps, call, { act: "reject", reason: call.body.reason }),
  };
}
