/** A task's steps in the order of the plan. Index: step_position, edge_to. */
import type { TaskRef } from "@baton/core";
import type { StepRow, StepsQuery } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";
import { defined } from "../tasks/rows.ts";

export async function listTaskSteps(
  db: Database,
  ref: TaskRef,
  { afterPosition = -1, kinds, items = true, withOutputs = true, limit }: StepsQuery,
): Promise<readonly StepRow[]> {
  const rows = await rowsOf<StepRow>(
    db,
    sql`select s.step_id as "stepId", s.position, s.key, s.kind, s.type, s.description, s.state,
          s.attempt_no as "attemptNo", s.failure_count as "failureCount", s.crash_count as "crashCount",
          array(select f.key from baton.task_execution_step_edge e
                join baton.task_execution_step f on f.tenant_id = e.tenant_id and f.task_id = e.task_id and f.step_id = e.from_step_id
                where e.tenant_id = s.tenant_id and e.task_id = s.task_id and e.to_step_id = s.step_id
                order by f.position) as "dependsOn",
          s.parent_step_id as "parentStepId", s.item_index as "itemIndex",
          (extract(epoch from s.available_at) * 1000)::float8 as "availableAt", (extract(epoch from s.started_at) * 1000)::float8 as "startedAt",
          (extract(epoch from s.finished_at) * 1000)::float8 as "finishedAt",
          w.worker, s.session_id as "sessionId", s.error, ${withOutputs ? sql`s.output` : sql`null`} as output, s.output_bytes as "outputSizeBytes", s.blob_id as "blobId",
          s.model, s.offline, s.input_tokens::float8 as "inputTokens", s.output_tokens::float8 as "outputTokens", s.cost_usd::float8 as "costUsd"
        from baton.task_execution_step s
        left join baton.worker_session w on w.session_id = s.session_id
        where s.tenant_id = ${ref.tenantId} and s.task_id = ${ref.taskId} and s.position > ${afterPosition}
          and ${kinds === undefined ? sql`true` : sql`s.kind in ${[...kinds]}`}
          and ${items ? sql`true` : sql`s.item_index is null`}
        order by s.position limit ${limit}`,
  );
  return rows.map(defined);
}
