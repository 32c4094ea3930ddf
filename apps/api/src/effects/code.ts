/** The code of the routes about calls to the outside. */
import { BatonError } from "@baton/core";
import type { EffectAnswer, TaskEffectRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import type { Cursors } from "../request/cursor.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { taskOf, notFound } from "../tasks/code.ts";
import { refOf } from "../tasks/creation.ts";
import { taskEffectToWire } from "./wire.ts";

type Position = Pick<TaskEffectRow, "stepPosition" | "callNo">;

async function list(deps: ApiDeps, cursors: Cursors, { principal, params, query }: Call<"listEffects">) {
  await taskOf(deps, principal, params.id);
  const { limit, state } = query;
  const scope = ["effects", principal.tenantId, params.id, state ?? ""];
  const after = query.cursor === undefined ? undefined : (cursors.open(scope, query.cursor) as Position);
  const rows = await deps.store.listEffects(refOf(principal, params.id), { state, after, limit: limit + 1 });
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const nextCursor =
    rows.length > limit && last !== undefined
      ? cursors.seal(scope, { stepPosition: last.stepPosition, callNo: last.callNo })
      : null;
  return { status: 200 as const, body: { effects: page.map(taskEffectToWire), nextCursor } };
}

function refusal({ stepState, effectState, attemptNo }: EffectAnswer, asked: number): BatonError {
  const why =
    attemptNo !== asked
      ? `attempt ${attemptNo} has made the call since; look at it again`
      : stepState === "running"
        ? "an attempt of its step is running, and may learn it by itself"
        : `its outcome is known: ${effectState}; to give the step another output, resolve its dead letter`;
  return new BatonError("illegal-transition", `Nothing can be said about this call now: ${why}.`);
}

async function resolve(deps: ApiDeps, { principal, params, body }: Call<"resolveEffect">) {
  const { id: taskId, stepId, callNo } = params;
  const { attemptNo, reason } = body;
  const why = { attemptNo, by: principal.keyId, reason };
  const answer = await deps.store.resolveEffect(
    { ...refOf(principal, taskId), stepId },
    callNo,
    body.outcome === "succeeded"
      ? { ...why, outcome: "succeeded", resultJson: JSON.stringify(body.result) }
      : { ...why, outcome: "not-done" },
  );
  if (answer === undefined) throw notFound("call");
  if (answer.answer === "illegal") throw refusal(answer, attemptNo);
  const { effectState: state, stepState, taskState } = answer;
  const changed = answer.answer === "changed";
  return { status: 200 as const, body: { taskId, stepId, callNo, state, stepState, taskState, changed } };
}

export function effectCode(deps: ApiDeps, cursors: Cursors): Pick<RouteCode, "listEffects" | "resolveEffect"> {
  return {
    listEffects: (call) => list(deps, cursors, call),
    resolveEffect: (call) => resolve(deps, call),
  };
}
