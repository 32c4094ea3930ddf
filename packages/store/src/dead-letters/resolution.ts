/** What a person does with a step that is out of attempts; see dead-letters.sql. */
import { BatonError, type StepRef } from "@baton/core";
import type { DeadLetterSelection, RetriedStep, StepAnswer, StepResolution } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";
import { maxInlineBytes, maxOutputBytes, type WireWakeUp } from "../steps/attempts.ts";
import { selected } from "./letters.ts";

/** Of one transaction: it holds its tasks' locks to its end. */
const batchSize = 200;

export interface Why {
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

interface Retried {
  readonly answers: readonly RetriedStep[];
  readonly wakeUps: readonly WireWakeUp[];
}

export async function retrySteps(db: Database, refs: readonly StepRef[], why: Why, room: number): Promise<Retried> {
  const rows = await rowsOf<{ reply: Retried }>(
    db,
    sql`select baton_v1.retry_steps(
          array(select row("tenantId", "taskId", "stepId")::baton_v1.step_key
                from jsonb_to_recordset(${JSON.stringify(refs)}::jsonb) as k("tenantId" uuid, "taskId" uuid, "stepId" uuid)),
          ${why.by ?? null}::text, ${why.reason ?? null}::text, ${room}::int) as reply`,
  );
  return rows[0]?.reply ?? { answers: [], wakeUps: [] };
}

export interface BulkRetry {
  inTransaction<Result>(run: (db: Database) => Promise<Result>): Promise<Result>;
  readonly room: () => number;
  readonly onWakeUps: (wakeUps: readonly WireWakeUp[]) => void;
}

/**
 * Retries every letter of a selection that had failed when it began, oldest first, in transactions of some hundred;
 * what fails again meanwhile stays. Index: step_failed.
 */
export async function retryDeadLetters(
  { inTransaction, room, onWakeUps }: BulkRetry,
  selection: DeadLetterSelection,
  why: Why,
): Promise<{ readonly retriedSteps: number; readonly retriedTasks: number }> {
  const tasks = new Set<string>();
  let retriedSteps = 0;
  let begunAt: number | undefined;
  for (;;) {
    const batch = await inTransaction(async (db) => {
      begunAt ??= (
        await rowsOf<{ now: number }>(db, sql`select (extract(epoch from baton.clock()) * 1000)::float8 as now`)
      )[0]?.now;
      const refs = await rowsOf<StepRef>(
        db,
        sql`select s.tenant_id as "tenantId", s.task_id as "taskId", s.step_id as "stepId" from baton.task_execution_step s
            where ${selected(selection)} and s.finished_at <= to_timestamp(${begunAt}::float8 / 1000)
            order by s.finished_at, s.step_id limit ${batchSize}`,
      );
      return retrySteps(db, refs, why, room());
    });
    onWakeUps(batch.wakeUps);
    const changed = batch.answers.filter(({ answer }) => answer === "changed");
    retriedSteps += changed.length;
    for (const { taskId } of changed) tasks.add(taskId);
    if (batch.answers.length < batchSize) return { retriedSteps, retriedTasks: tasks.size };
  }
}

/** Throws `payload-too-large`. */
export async function resolveStep(
  db: Database,
  ref: StepRef,
  resolution: StepResolution,
  room: number,
): Promise<(StepAnswer & { readonly wakeUps: readonly WireWakeUp[] }) | undefined> {
  const json = resolution.state === "completed" ? resolution.outputJson : undefined;
  const bytes = json === undefined ? 0 : Buffer.byteLength(json);
  if (bytes > maxOutputBytes) {
    throw new BatonError(
      "payload-too-large",
      `The output has ${bytes} bytes; the limit is ${maxOutputBytes} (32 MB). Give a smaller one.`,
    );
  }
  const { by, reason } = resolution;
  const isInline = bytes <= maxInlineBytes;
  const wire = {
    state: resolution.state,
    by,
    reason,
    ...(json !== undefined &&
      resolution.state === "completed" && {
        dead: resolution.deadEdges,
        bytes,
        preview: json.slice(0, 500).toWellFormed(),
        ...(isInline && { output: JSON.parse(json) as unknown }),
      }),
  };
  const content = json === undefined || isInline ? null : Buffer.from(json);
  const rows = await rowsOf<{ reply: (StepAnswer & { wakeUps: readonly WireWakeUp[] }) | null }>(
    db,
    sql`select baton_v1.resolve_step(row(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${ref.stepId}::uuid)::baton_v1.step_key,
          ${resolution.attemptNo}::int, ${JSON.stringify(wire)}::jsonb, ${content}::bytea, ${room}::int) as reply`,
  );
  return rows[0]?.reply ?? undefined;
}
