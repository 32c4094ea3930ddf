/**
 * Checkpoints: a checkpoint is a number, not a copy. Outputs never change once a step has settled, so
 * the context at a checkpoint is every step with settled_no up to the checkpoint's.
 */
import type { StepRef, TaskRef } from "@baton/core";
import type { StepOutput } from "@baton/core/ports";
import { and, asc, eq, sql } from "drizzle-orm";
import type { CheckpointRow } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { taskCheckpoint as checkpoint } from "../schema/traces.ts";
import { settledOutputs } from "../steps/outputs.ts";

/** Index: primary key. */
export async function listCheckpoints(db: Database, ref: TaskRef): Promise<readonly CheckpointRow[]> {
  const rows = await db
    .select()
    .from(checkpoint)
    .where(and(eq(checkpoint.tenantId, ref.tenantId), eq(checkpoint.taskId, ref.taskId)))
    .orderBy(asc(checkpoint.settledNo), asc(checkpoint.traceNo));
  return rows.map((row, index) => ({
    checkpointId: row.checkpointId,
    checkpointNo: index + 1,
    traceNo: row.traceNo,
    stepCount: row.stepCount,
    createdAt: row.createdAt.getTime(),
  }));
}

/** The outputs as they were; undefined when the task has no such checkpoint. */
export async function checkpointContext(
  db: Database,
  ref: TaskRef,
  checkpointId: string,
): Promise<readonly StepOutput[] | undefined> {
  const rows = await db
    .select({ settledNo: checkpoint.settledNo })
    .from(checkpoint)
    .where(
      and(
        eq(checkpoint.tenantId, ref.tenantId),
        eq(checkpoint.taskId, ref.taskId),
        eq(checkpoint.checkpointId, checkpointId),
      ),
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
