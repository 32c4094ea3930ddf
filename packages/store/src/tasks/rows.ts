/** How a task's row is read. */
import type { TaskRef } from "@baton/core";
import { taskStates } from "@baton/core/lifecycle";
import type { TaskState } from "@baton/core/lifecycle";
import { taskSettings } from "@baton/core/task";
import type { TaskRow } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { type SQL, sql } from "../connection/sql.ts";

const columns = sql`t.tenant_id as "tenantId", t.task_id as "taskId", t.kind, t.goal, t.input, t.state, t.intent, t.settings,
  t.user_step_count as "totalSteps",
  t.completed_count + t.skipped_count + t.cancelled_count as "settledSteps",
  t.running_count as "runningSteps", t.failed_count + t.held_count as "failedSteps", t.revision_count as "revisionCount",
  t.trace_no::float8 as "traceNo", t.input_tokens::float8 as "inputTokens", t.output_tokens::float8 as "outputTokens", t.cost_usd::float8 as "costUsd", t.offline,
  t.result_expression as "resultExpression", t.estimated_duration_ms::float8 as "estimatedDurationMs", t.last_error as "lastError",
  t.thread_id as "threadId", t.origin_task_id as "originTaskId",
  t.parent_task_id as "parentTaskId", t.root_task_id as "rootTaskId",
  (extract(epoch from t.created_at) * 1000)::float8 as "createdAt", (extract(epoch from t.updated_at) * 1000)::float8 as "updatedAt",
  (extract(epoch from t.started_at) * 1000)::float8 as "startedAt", (extract(epoch from t.finished_at) * 1000)::float8 as "finishedAt"`;

/** SQL's null is undefined outside the store. */
export function defined<Row extends object>(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value === null ? undefined : value]),
  ) as Row;
}

function taskFromRow(row: TaskRow): TaskRow {
  const task = defined(row);
  // JSON null is an input of its own; costUsd null means "no price known".
  return { ...task, input: row.input, costUsd: row.costUsd, settings: taskSettings.parse(row.settings) };
}

/** Index: task primary key. */
export async function getTask(db: Database, ref: TaskRef): Promise<TaskRow | undefined> {
  const rows = await rowsOf<TaskRow>(
    db,
    sql`select ${columns} from baton.task_execution t where t.tenant_id = ${ref.tenantId} and t.task_id = ${ref.taskId}`,
  );
  return rows[0] === undefined ? undefined : taskFromRow(rows[0]);
}

export interface TaskQuery {
  readonly tenantId: string;
  readonly states?: readonly TaskState[];
  readonly kind?: "goal" | "plan" | "reply";
  readonly threadId?: string;
  readonly before?: { readonly createdAt: number; readonly taskId: string };
  readonly limit: number;
}

/** Newest first: task ids are UUIDv7. Index: task primary key, task_by_thread; task_running when only live ones are asked for. */
export async function listTasks(db: Database, query: TaskQuery): Promise<readonly TaskRow[]> {
  const conditions: SQL[] = [sql`t.tenant_id = ${query.tenantId}`];
  if (query.states !== undefined) conditions.push(sql`t.state in ${[...query.states]}`);
  // As the partial index task_running says it: among a million finished tasks, the live ones are found by it alone.
  if (query.states?.every((state) => taskStates[state] === "live"))
    conditions.push(sql`t.state not in ('completed', 'cancelled', 'failed')`);
  if (query.kind !== undefined) conditions.push(sql`t.kind = ${query.kind}`);
  if (query.threadId !== undefined) conditions.push(sql`t.thread_id = ${query.threadId}`);
  if (query.before !== undefined) {
    conditions.push(sql`t.task_id < ${query.before.taskId}`);
  }
  const rows = await rowsOf<TaskRow>(
    db,
    sql`select ${columns} from baton.task_execution t where ${sql.join(conditions, sql` and `)}
        order by t.task_id desc limit ${query.limit}`,
  );
  return rows.map(taskFromRow);
}
