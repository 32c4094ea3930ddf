/** A task's trace rows by number. Index: trace primary key. */
import type { TaskRef } from "@baton/core";
import type { TraceRow } from "@baton/core/events";
import { and, asc, desc, eq, gt } from "drizzle-orm";
import type { Database } from "../connection/pools.ts";
import { taskExecutionTrace as trace } from "../schema/traces.ts";

export async function listTaskTraces(
  db: Database,
  ref: TaskRef,
  query: { readonly afterNo?: number; readonly limit: number; readonly newestFirst?: boolean },
): Promise<readonly TraceRow[]> {
  const rows = await db
    .select()
    .from(trace)
    .where(and(eq(trace.tenantId, ref.tenantId), eq(trace.taskId, ref.taskId), gt(trace.no, query.afterNo ?? 0)))
    .orderBy(query.newestFirst === true ? desc(trace.no) : asc(trace.no))
    .limit(query.limit);
  return rows.map((row) => ({
    no: row.no,
    type: row.type,
    stepId: row.stepId ?? undefined,
    attemptNo: row.attemptNo ?? undefined,
    data: row.data as Readonly<Record<string, unknown>>,
    createdAt: row.createdAt.getTime(),
  }));
}
