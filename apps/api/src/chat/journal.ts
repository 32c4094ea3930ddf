/**
 * A reply's turns and calls, read from the ledger of calls and the journal of questions.
 *
 * Purpose: from rows to what a reader is shown, at any moment and again. Boundary: reads; the loop itself is the
 * executor's, whose numbering this follows: a turn's model call, then those of its calls that are allowed.
 */
import { resultsRead, shownCallId } from "@baton/core/agent";
import type { EffectRow, QuestionRow, TaskRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import type { ShownCall } from "./ui-parts.ts";

const modelCall = "model/turn";
const mostCalls = 1_000;
/** Of an output that is shown; GET /api/v1/tasks/{id}/effects has the whole. */
const longestOutput = 20_000;

export interface ShownTurn {
  readonly text: string;
  readonly calls: readonly ShownCall[];
}

export interface ShownTurns {
  readonly turns: readonly ShownTurn[];
  /** From 0: the turn whose question was closed last. */
  readonly lastAnswered: number | undefined;
}

interface TurnRecord {
  readonly text: string;
  readonly toolCalls: readonly { readonly tool: string; readonly input: unknown }[];
}

export async function readTurns(store: ApiDeps["store"], task: TaskRow, stepId: string): Promise<ShownTurns> {
  const ref = { tenantId: task.tenantId, taskId: task.taskId };
  const [effects, questions] = await Promise.all([
    store.listEffects(ref, { limit: mostCalls }),
    store.listQuestions({ ...ref, limit: 200 }),
  ]);
  const byNo = new Map(effects.filter((each) => each.stepId === stepId).map((each) => [each.callNo, each]));
  // Newest first: the newest of a call stays.
  const asked = new Map(questions.toReversed().map((each) => [each.callNo, each]));
  // Whoever has tools may read on in their results.
  const allowed = new Set([...(task.settings.tools ?? []), resultsRead]);
  const turns: ShownTurn[] = [];
  const turnOfCall = new Map<number, number>();
  for (let at = 1; ; ) {
    const made = byNo.get(at);
    if (made?.tool !== modelCall || made.state !== "succeeded") break;
    const { text, toolCalls } = made.result as TurnRecord;
    const turn = turns.length;
    at += 1;
    const calls = toolCalls.map(({ tool, input }, place): ShownCall => {
      const call = { id: shownCallId(turn + 1, place), tool, input };
      if (!allowed.has(tool)) return { ...call, outcome: { ended: "error", errorText: `There is no tool "${tool}".` } };
      turnOfCall.set(at, turn);
      const shown = shownCall(call, byNo.get(at), asked.get(at));
      at += 1;
      return shown;
    });
    turns.push({ text, calls });
  }
  const closed = questions
    .filter(({ state, closedAt }) => state !== "open" && closedAt !== undefined)
    .toSorted((a, b) => (a.closedAt ?? 0) - (b.closedAt ?? 0))
    .at(-1);
  return { turns, lastAnswered: closed && turnOfCall.get(closed.callNo) };
}

function shownCall(
  call: Pick<ShownCall, "id" | "tool" | "input">,
  effect: EffectRow | undefined,
  question: QuestionRow | undefined,
): ShownCall {
  const approval = question === undefined ? {} : { approval: approvalOf(question) };
  const outcome = effectOutcome(effect) ?? (question === undefined ? undefined : questionOutcome(question));
  return { ...call, ...approval, ...(outcome !== undefined && { outcome }) };
}

export function approvalOf({ questionId: id, state, reason }: QuestionRow): NonNullable<ShownCall["approval"]> {
  if (state === "open") return { id };
  return { id, approved: state === "approved", ...(reason !== undefined && { reason }) };
}

export function questionOutcome({ state }: QuestionRow): ShownCall["outcome"] {
  if (state === "rejected") return { ended: "denied" };
  if (state === "expired") return { ended: "error", errorText: "Nobody answered in time." };
  if (state === "withdrawn") return { ended: "error", errorText: "It was cancelled before anybody answered." };
  return undefined;
}

function effectOutcome(effect: EffectRow | undefined): ShownCall["outcome"] {
  if (effect?.state === "succeeded") return { ended: "output", output: bounded(effect.result) };
  if (effect?.state !== "refused") return undefined;
  const { code = "", message = "" } = (effect.result ?? {}) as { code?: string; message?: string };
  return {
    ended: "error",
    errorText: [code, message].filter((each) => each !== "").join(": ") || "The call was refused.",
  };
}

function bounded(value: unknown): unknown {
  const json = JSON.stringify(value) ?? "null";
  if (json.length <= longestOutput) return value ?? null;
  return `${json.slice(0, longestOutput).toWellFormed()}… (the beginning of ${json.length} characters)`;
}
