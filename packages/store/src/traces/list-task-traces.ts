/** A task's trace rows by number. Index: trace primary key. */
import type { TaskRef } from "@baton/core";
import type { TraceRow } from "@baton/core/events";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";

export async function listTaskTraces(
  db: Database,
  ref: TaskRef,
  query: { readonly afterNo?: number; readonly limit: number; readonly newestFirst?: boolean },
): Promise<readonly TraceRow[]> {
  const { afterNo = 0, limit, newestFirst = false } = query;
  const rows = await rowsOf<TraceRow & { readonly stepId: string | null; readonly attemptNo: number | null }>(
    db,
    sql`select no::float8 as no, type, step_id as "stepId", attempt_no as "attemptNo", data,
               floor(extract(epoch from created_at) * 1000)::float8 as "createdAt"
        from baton.task_execution_trace
        where tenant_id = ${ref.tenantId} and task_id = ${ref.taskId} and no > ${afterNo}
        order by ${newestFirst ? sql`no desc` : sql`no`} limit ${limit}`,
  );
  return rows.map(({ stepId, attemptNo, ...row }) => ({
    ...row,
    stepId: stepId ?? undefined,
    attemptNo: attemptNo ?? undefined,
  }));
}
