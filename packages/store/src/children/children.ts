/** Tasks that steps start and wait for; see children.sql. */
import type { StepRef } from "@baton/core";
import type { ChildTask } from "@baton/core/ports";
import type { Connections } from "../connection/pools.ts";
import type { WireWakeUp } from "../steps/attempts.ts";
import { outputFromWire, type WireOutput } from "../steps/wire.ts";
import { defined } from "../tasks/rows.ts";

type ChildRow = Omit<ChildTask, "output"> & { readonly output: WireOutput | null };

/** Their output is that of their only step. Index: child_by_step, primary key, step_key. Rows: the step's children. */
export async function childrenOf({ engine }: Connections, ref: StepRef): Promise<readonly ChildTask[]> {
  const rows = await engine<ChildRow>(
    `select c.child_task_id as "childTaskId", c.call_no as "callNo", c.agent, c.state,
       case when c.state = 'failed' then t.last_error end as error,
       case when c.state = 'completed' then (
         select json_build_object('key', s.key, 'stepId', s.step_id, 'description', s.description, 'state', s.state,
           'output', s.output, 'blobId', s.blob_id, 'sizeBytes', s.output_bytes)
         from baton.task_execution_step s
         where s.tenant_id = c.tenant_id and s.task_id = c.child_task_id and s.key = 'agent') end as output
     from baton.child_task c
     join baton.task_execution t on t.tenant_id = c.tenant_id and t.task_id = c.child_task_id
     where c.tenant_id = $1 and c.parent_task_id = $2 and c.step_id = $3`,
    [ref.tenantId, ref.taskId, ref.stepId],
  );
  return rows.map((row) => {
    const { output, ...child } = row;
    return { ...defined(child), output: output === null ? undefined : outputFromWire(output) };
  });
}

export async function tellParents(
  { engine }: Connections,
  room: number,
): Promise<{ readonly told: number; readonly wakeUps: readonly WireWakeUp[] }> {
  const rows = await engine<{ reply: { told: number; wakeUps: readonly WireWakeUp[] } }>(
    "select baton_v1.tell_parents($1) as reply",
    [room],
  );
  return rows[0]?.reply ?? { told: 0, wakeUps: [] };
}

/** One transaction each: none waits for another's locks while it holds its own. */
export async function followParents({ engine }: Connections): Promise<number> {
  const due = await engine<{ tenantId: string; childTaskId: string }>(
    `select tenant_id as "tenantId", child_task_id as "childTaskId" from baton.child_task
     where wanted is not null or budget_changed order by created_at limit 100`,
  );
  let followed = 0;
  for (const { tenantId, childTaskId } of due) {
    const [row] = await engine<{ did: boolean }>("select baton_v1.follow_parent($1, $2) as did", [
      tenantId,
      childTaskId,
    ]);
    if (row?.did === true) followed += 1;
  }
  return followed;
}
