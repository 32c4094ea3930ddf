/** Outputs of settled steps, inline or by reference. */
import { BatonError, type StepRef, type TaskRef } from "@baton/core";
import type { StepOutput } from "@baton/core/ports";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";
import { outputFromWire } from "./wire.ts";

type OutputRow = Parameters<typeof outputFromWire>[0];

const columns = sql`s.key, s.step_id as "stepId", s.description, s.state, s.output, s.blob_id as "blobId", s.output_bytes as "sizeBytes"`;

/** Index: blob primary key. Throws `not-found`. */
export async function readOutput(db: Database, ref: TaskRef, blobId: string): Promise<unknown> {
  const rows = await rowsOf<{ content: Buffer }>(
    db,
    sql`select content from baton.blob where tenant_id = ${ref.tenantId} and task_id = ${ref.taskId} and blob_id = ${blobId}`,
  );
  const content = rows[0]?.content;
  if (content === undefined) throw new BatonError("not-found", `The task ${ref.taskId} has no output ${blobId}.`);
  return JSON.parse(content.toString("utf8"));
}

/**
 * Steps that settled, in the order in which they settled; skipped ones, which have no output, last in the order of
 * the plan and only where no checkpoint bounds the answer. Index: step primary key.
 */
export async function settledOutputs(db: Database, ref: TaskRef, upTo?: number): Promise<readonly StepOutput[]> {
  const rows = await rowsOf<OutputRow>(
    db,
    sql`select ${columns} from baton.task_execution_step s
        where s.tenant_id = ${ref.tenantId} and s.task_id = ${ref.taskId}
          and ${upTo === undefined ? sql`(s.settled_no is not null or s.state = 'skipped')` : sql`s.settled_no <= ${upTo}`}
        order by s.settled_no nulls last, s.position`,
  );
  return rows.map(outputFromWire);
}

/** A map's items in order, 500 at a time. Index: step_items. */
export async function* itemOutputs(db: Database, ref: StepRef): AsyncGenerator<StepOutput> {
  for (let after = -1; ; ) {
    const rows = await rowsOf<OutputRow & { index: number }>(
      db,
      sql`select ${columns}, s.item_index as index from baton.task_execution_step s
          where s.tenant_id = ${ref.tenantId} and s.task_id = ${ref.taskId} and s.parent_step_id = ${ref.stepId} and s.item_index > ${after}
          order by s.item_index limit 500`,
    );
    for (const row of rows) {
      after = row.index;
      yield outputFromWire(row);
    }
    if (rows.length < 500) return;
  }
}
