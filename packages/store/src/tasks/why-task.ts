/**
 * Why a task does not move: one entry per waiting thing with since when and what moves it; what a person must move
 * comes first.
 * One query. Index: step primary key, session_live, question_by_step, child_by_step. Rows read: the task's open and resting steps, 200 at most.
 */
import type { TaskRef } from "@baton/core";
import type { Wait } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";
import { defined } from "./rows.ts";

export async function whyTask(db: Database, ref: TaskRef): Promise<readonly Wait[]> {
  const rows = await rowsOf<Wait>(
    db,
    sql`select * from (
      select case t.intent when 'pause' then 'intent' else 'compensation' end as on, null::uuid as "stepId", null::text as "stepKey",
             (extract(epoch from t.updated_at) * 1000)::float8 as since, 'The task is ' || t.state || '.' as detail,
             case t.intent when 'pause' then 'POST /api/v1/tasks/' || t.task_id || '/resume' else 'its compensation steps' end as "movedBy",
             null::text as "deadLetterKind", null::boolean as "inDoubt",
             null::uuid as "questionId", null::text as "questionKind", 0 as urgency, 0 as place
      from baton.task_execution t
      where t.tenant_id = ${ref.tenantId} and t.task_id = ${ref.taskId} and t.intent in ('pause', 'compensate') and t.state not in ('completed', 'cancelled')
      union all
      select
        case
          when s.state = 'running' then 'running'
          when s.state = 'failed' and s.held and s.error->>'code' in ('budget-exceeded', 'token-limit') then 'budget'
          when s.state = 'failed' then case when baton_v1.resting_policy(s.on_exhausted, s.held) = 'hold' then 'person' else 'dead-letter' end
          when q.kind = 'approval' then 'approval'
          when q.kind = 'question' then 'person'
          when s.state = 'waiting' and c.agents is not null then 'child'
          when s.state = 'waiting' then 'items'
          when s.state = 'pending' then case when s.parent_step_id is not null then 'concurrency' else 'dependency' end
          when s.available_at > baton.clock() and s.error->>'code' in ('provider-open', 'provider-throttled') then 'provider'
          when s.available_at > baton.clock() then 'backoff'
          when t.state = 'failed' then 'dead-letter'
          when t.intent <> 'none' then 'intent'
          when not exists (select from baton.worker_session w where w.ended_at is null and w.expires_at > baton.clock() and s.pool = any (w.pools)) then 'worker'
          when s.dispatched_at is null and t.concurrency is not null and t.running_count + t.dispatched_count >= t.concurrency then 'concurrency'
          else 'slot'
        end as on,
        s.step_id, s.key,
        (extract(epoch from case when s.state = 'running' then s.started_at when s.state = 'failed' then s.finished_at when q.question_id is not null then q.created_at when c.since is not null then c.since
                                when s.state = 'ready' then coalesce(s.dispatched_at, s.available_at) else s.created_at end) * 1000)::float8,
        case
          when s.state = 'running' then format('Attempt %s runs on %s.', s.attempt_no, coalesce((select worker from baton.worker_session w where w.session_id = s.session_id), 'a worker'))
          when e.call_no is not null then format('Nobody knows whether this call of attempt %s took place (%s, key %s): %s(%s)',
            e.attempt_no, e.effect, e.idempotency_key, e.tool,
            case when length(e.arguments::text) > 1000 then left(e.arguments::text, 1000) || '…' else e.arguments::text end)
          when s.state = 'failed' and s.held and s.error->>'code' in ('budget-exceeded', 'token-limit') then s.error->>'message'
          when s.state = 'failed' then format('Out of attempts: %s', s.error->>'message')
          when q.kind = 'question' then format('It asks: %s', q.subject->>'text')
          when q.kind = 'approval' then format('A call waits for %s approval%s, %s given: %s(%s)', q.quorum, case when q.quorum > 1 then 's' end,
            jsonb_array_length(q.votes), q.subject->>'tool',
            case when length(q.subject->>'arguments') > 1000 then left(q.subject->>'arguments', 1000) || '…' else q.subject->>'arguments' end)
          when s.state = 'waiting' and c.agents is not null then format('It waits for what it has called: %s.', c.agents)
          when s.state = 'waiting' then format('%s of %s items are not settled.', s.item_open, s.item_count)
          when s.state = 'pending' and s.parent_step_id is not null then 'The map runs as many items at once as its concurrency allows.'
          when s.state = 'pending' then format('%s of its dependencies are not settled.', s.deps_open)
          when s.available_at > baton.clock() and s.error->>'code' in ('provider-open', 'provider-throttled') then s.error->>'message'
          when s.available_at > baton.clock() then format('Failure %s: %s', s.failure_count, s.error->>'message')
          when s.dispatched_at is not null then format('Wake-up %s is on the queue of pool %s.', s.dispatch_no, s.pool)
          else format('Ready in pool %s, not yet on the queue.', s.pool)
        end,
        case
          when s.state = 'running' then 'its outcome, or its deadline at ' || to_char((s.started_at + make_interval(secs => s.timeout_ms / 1000.0)) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
          when e.call_no is not null then 'POST /api/v1/tasks/' || s.task_id || '/steps/' || s.step_id || '/effects/' || e.call_no || '/resolve'
          when s.state = 'failed' and s.held and s.error->>'code' in ('budget-exceeded', 'token-limit')
            then 'PATCH /api/v1/tasks/' || s.task_id || '/budget, or POST /api/v1/dead-letters/' || s.step_id || '/retry'
          when s.state = 'failed' then 'POST /api/v1/dead-letters/' || s.step_id || '/retry' || case when s.kind = 'plan' then '' else ' or /resolve' end
          when t.state = 'failed' then 'a retry or a resolution of the dead letters of its task'
          when q.kind = 'question' then 'POST /api/v1/questions/' || q.question_id || '/answer'
          when q.kind = 'approval' then 'POST /api/v1/questions/' || q.question_id || '/approve or /reject'
          when s.state = 'waiting' and c.agents is not null then c.paths
          when s.state = 'waiting' then 'its items'
          when s.state = 'pending' and s.parent_step_id is not null then 'the next item that settles'
          when s.state = 'pending' then (select string_agg(f.key, ', ' order by f.position) from baton.task_execution_step_edge e
              join baton.task_execution_step f on f.tenant_id = e.tenant_id and f.task_id = e.task_id and f.step_id = e.from_step_id
              where e.tenant_id = s.tenant_id and e.task_id = s.task_id and e.to_step_id = s.step_id and e.verdict = 'open')
          when s.available_at > baton.clock() then 'time: ' || to_char(s.available_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
          when not exists (select from baton.worker_session w where w.ended_at is null and w.expires_at > baton.clock() and s.pool = any (w.pools))
            then 'a worker that serves the pool ' || s.pool
          else 'a free slot of a worker in the pool ' || s.pool
        end,
        case when s.state = 'failed' then s.kind end, case when s.state = 'failed' then e.call_no is not null end,
        q.question_id, q.kind, case when s.state = 'failed' or q.question_id is not null then 1 else 2 end, s.position
      from baton.task_execution_step s
      join baton.task_execution t on t.tenant_id = s.tenant_id and t.task_id = s.task_id
      left join lateral (
        select * from baton.effect f
        where s.state = 'failed' and f.tenant_id = s.tenant_id and f.task_id = s.task_id and f.step_id = s.step_id and f.state in ('intent', 'unknown')
        order by f.call_no limit 1) e on true
      left join lateral (
        select * from baton.question f
        where s.state = 'waiting' and f.tenant_id = s.tenant_id and f.task_id = s.task_id and f.step_id = s.step_id and f.state = 'open'
        order by f.call_no limit 1) q on true
      left join lateral (
        select string_agg(format('agent %s (task %s)', o.agent, o.child_task_id), ', ' order by o.call_no) as agents,
               string_agg('GET /api/v1/tasks/' || o.child_task_id || '/why', ', ' order by o.call_no) as paths,
               min(o.created_at) as since
        from (
          select f.agent, f.child_task_id, f.call_no, f.created_at from baton.child_task f
          where s.state = 'waiting' and f.tenant_id = s.tenant_id and f.parent_task_id = s.task_id and f.step_id = s.step_id and f.told_at is null
          order by f.call_no limit 10) o) c on true
      where s.tenant_id = ${ref.tenantId} and s.task_id = ${ref.taskId} and s.state in ('pending', 'ready', 'running', 'waiting', 'failed')
    ) waits order by urgency, place limit 200`,
  );
  return rows.map((row) => {
    const { urgency: _urgency, place: _place, ...wait } = defined(row) as Wait & { urgency: number; place: number };
    return wait;
  });
}
