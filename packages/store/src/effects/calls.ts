/** Calls to the outside as people read them, and what a person says about one in doubt; see effects.sql. */
import { BatonError, type StepRef, type TaskRef } from "@baton/core";
import type { EffectAnswer, EffectRow, EffectsQuery, EffectWord, TaskEffectRow } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";
import { maxOutputBytes, type WireWakeUp } from "../steps/attempts.ts";
import { defined } from "../tasks/rows.ts";

const effectColumns = sql`e.call_no as "callNo", e.attempt_no as "attemptNo", e.tool, e.effect, e.arguments,
  e.idempotency_key as "idempotencyKey", e.state, e.result, e.late, e.resolved,
  (extract(epoch from e.created_at) * 1000)::float8 as "createdAt", (extract(epoch from e.finished_at) * 1000)::float8 as "finishedAt"`;

/** A call's JSON null is a value; the end of one without result is none. */
function callOf<Row extends EffectRow>(row: Row): Row {
  const { arguments: given, result, state } = row;
  return { ...defined(row), arguments: given, ...(state === "succeeded" && { result }) };
}

/** Index: effect primary key. Rows: the step's calls. */
export async function listStepEffects(db: Database, ref: StepRef): Promise<readonly EffectRow[]> {
  const rows = await rowsOf<EffectRow>(
    db,
    sql`select ${effectColumns} from baton.effect e
        where e.tenant_id = ${ref.tenantId}::uuid and e.task_id = ${ref.taskId}::uuid and e.step_id = ${ref.stepId}::uuid
        order by e.call_no`,
  );
  return rows.map(callOf);
}

/** In the order of the steps. Index: effect and step primary keys. Rows: the task's calls. */
export async function listEffects(db: Database, ref: TaskRef, query: EffectsQuery): Promise<readonly TaskEffectRow[]> {
  const { after, limit, state } = query;
  const rows = await rowsOf<TaskEffectRow>(
    db,
    sql`select e.step_id as "stepId", s.key as "stepKey", s.position as "stepPosition", s.state as "stepState", ${effectColumns}
        from baton.effect e
        cross join lateral (
          select f.key, f.position, f.state from baton.task_execution_step f
          where f.tenant_id = e.tenant_id and f.task_id = e.task_id and f.step_id = e.step_id offset 0) s
        where e.tenant_id = ${ref.tenantId}::uuid and e.task_id = ${ref.taskId}::uuid
          and ${state === undefined ? sql`true` : sql`e.state = ${state}`}
          and ${after === undefined ? sql`true` : sql`(s.position, e.call_no) > (${after.stepPosition}::int, ${after.callNo}::int)`}
        order by s.position, e.call_no limit ${limit}`,
  );
  return rows.map(callOf);
}

/** Throws `payload-too-large`. */
export async function resolveEffect(
  db: Database,
  ref: StepRef,
  callNo: number,
  word: EffectWord,
  room: number,
): Promise<(EffectAnswer & { readonly wakeUps: readonly WireWakeUp[] }) | undefined> {
  const { attemptNo, by, outcome, reason } = word;
  const json = outcome === "succeeded" ? word.resultJson : "null";
  const bytes = Buffer.byteLength(json);
  if (bytes > maxOutputBytes) {
    throw new BatonError(
      "payload-too-large",
      `The result has ${bytes} bytes; the limit is ${maxOutputBytes} (32 MB). Give a smaller one.`,
    );
  }
  const rows = await rowsOf<{ reply: (EffectAnswer & { wakeUps: readonly WireWakeUp[] }) | null }>(
    db,
    sql`select baton_v1.resolve_effect(row(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${ref.stepId}::uuid)::baton_v1.step_key,
          ${callNo}::int, ${attemptNo}::int,
          ${JSON.stringify({ outcome, by, reason })}::jsonb || jsonb_build_object('result', ${json}::jsonb), ${room}::int) as reply`,
  );
  return rows[0]?.reply ?? undefined;
}
