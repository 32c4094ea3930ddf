/**
 * Checkpoints: a checkpoint is a number, not a copy. Outputs never change once a step has settled, so
 * the context at a checkpoint is every step with settled_no up to the checkpoint's.
 */
import type { StepRef, TaskRef } from "@baton/core";
import type { StepOutput } from "@baton/core/ports";
import type { CheckpointRow } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";
import { settledOutputs } from "../steps/outputs.ts";

/** Index: primary key. */
export async function listCheckpoints(db: Database, ref: TaskRef): Promise<readonly CheckpointRow[]> {
  const rows = await rowsOf<Omit<CheckpointRow, "checkpointNo">>(
    db,
    sql`select checkpoint_id as "checkpointId", trace_no::float8 as "traceNo", step_count as "stepCount",
               floor(extract(epoch from created_at) * 1000)::float8 as "createdAt"
        from baton.task_checkpoint
        where tenant_id = ${ref.tenantId} and task_id = ${ref.taskId}
        order by settled_no, trace_no`,
  );
  return rows.map((row, index) => ({ ...row, checkpointNo: index + 1 }));
}

/** The outputs as they were; undefined when the task has no such checkpoint. Index: primary key. */
export async function checkpointContext(
  db: Database,
  ref: TaskRef,
  checkpointId: string,
): Promise<readonly StepOutput[] | undefined> {
  const rows = await rowsOf<{ settledNo: number }>(
    db,
    sql`select settled_no as "settledNo" from baton.task_checkpoint
        where tenant_id = ${ref.tenantId} and task_id = ${ref.taskId} and checkpoint_id = ${checkpointId}`,
  );
  const found = rows[0];
  return found === undefined ? undefined : settledOutputs(db, ref, found.settledNo);
}

/** What a checkpoint step asks for, fenced by its attempt. Lock order: the task row. Rows: one, and its trace. */
export async function saveCheckpoint(
  db: Database,
  ref: StepRef,
  attemptNo: number,
): Promise<{ readonly checkpointId: string; readonly stepCount: number } | "lease-lost"> {
  const rows = await rowsOf<{ saved: { checkpointId: string; stepCount: number } | null }>(
    db,
    sql`select baton_v1.save_checkpoint(row(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${ref.stepId}::uuid)::baton_v1.step_key, ${attemptNo}::int) as saved`,
  );
  return rows[0]?.saved ?? "lease-lost";
}
