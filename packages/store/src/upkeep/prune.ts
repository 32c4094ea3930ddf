/** Deletes what is older than the given ages; at most 200 tasks a call, the oldest first. */
import type { HousekeepingStore } from "@baton/core/ports";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";

type Ages = Parameters<HousekeepingStore["prune"]>[0];

const before = (ageMs: number) => sql`baton.clock() - make_interval(secs => ${ageMs / 1000})`;

/** Index: task_finished, idempotency_by_age, session_ended, reservation_before_task, live_message_by_age. Rows cascade to steps; edges, traces, effects and what budgets keep of tasks have no foreign key. */
export async function prune(db: Database, ages: Ages): Promise<{ readonly tasks: number }> {
  const tasks = await rowsOf<{ taskId: string }>(
    db,
    sql`with old as materialized (
          select t.tenant_id, t.task_id from baton.task_execution t
          where t.finished_at < ${before(ages.finishedTasksMs)} and t.state in ('completed', 'cancelled')
            -- A task under way may still read what its children made.
            and (t.root_task_id is null or not exists (
              select from baton.task_execution r
              where r.tenant_id = t.tenant_id and r.task_id = t.root_task_id and r.state not in ('completed', 'cancelled')))
          order by t.finished_at limit 200 for update of t skip locked),
        traces as (
          delete from baton.task_execution_trace r using old where r.tenant_id = old.tenant_id and r.task_id = old.task_id),
        edges as (
          delete from baton.task_execution_step_edge e using old where e.tenant_id = old.tenant_id and e.task_id = old.task_id),
        budgets as (
          delete from baton.budget b using old where b.tenant_id = old.tenant_id and b.scope = 'task' and b.scope_id = old.task_id::text),
        reservations as (
          delete from baton.reservation r using old where r.tenant_id = old.tenant_id and r.task_id = old.task_id),
        effects as (
          delete from baton.effect e using old where e.tenant_id = old.tenant_id and e.task_id = old.task_id)
        delete from baton.task_execution t using old
        where t.tenant_id = old.tenant_id and t.task_id = old.task_id
        returning t.task_id as "taskId"`,
  );
  await db.execute(sql`delete from baton.idempotency_key where created_at < ${before(ages.idempotencyMs)}`);
  // A session that a running step still names is reaped first.
  await db.execute(sql`delete from baton.worker_session w where w.ended_at < ${before(ages.sessionsMs)}
    and not exists (select from baton.task_execution_step s where s.session_id = w.session_id and s.state = 'running')`);
  await db.execute(sql`delete from baton.reservation
    where task_id is null and state <> 'open' and created_at < ${before(ages.finishedTasksMs)}`);
  await db.execute(sql`delete from baton.live_message where created_at < ${before(ages.liveMs)}`);
  return { tasks: tasks.length };
}
