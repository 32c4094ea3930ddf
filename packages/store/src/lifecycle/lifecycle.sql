-- What every verb that moves a step shares: buckets, f(intent, counters), the legal moves, and
-- `apply`, the only writer of a task's counters, state and trace numbers.

-- Equal to core/lifecycle bucketOf (tested over every combination).
create function baton_v1.bucket(p_kind text, p_state text, p_dispatched boolean, p_backing_off boolean, p_on_exhausted text)
returns text language sql immutable parallel safe
as $$
  select case
    when p_state = 'failed' then case when p_on_exhausted = 'hold' then 'held' else 'failed' end
    when p_state in ('completed', 'skipped', 'cancelled') then case when p_kind in ('user', 'reply') then p_state else 'system_settled' end
    when p_kind = 'plan' then 'planning'
    when p_kind = 'evaluate' then 'evaluating'
    when p_state <> 'ready' then p_state
    when p_dispatched then 'dispatched'
    when p_backing_off then 'backoff'
    else 'ready'
  end
$$;

-- Equal to core/lifecycle taskState (tested over generated counters).
create function baton_v1.task_state(
  p_intent text, p_pending int, p_ready int, p_dispatched int, p_backoff int, p_running int, p_waiting int,
  p_failed int, p_held int, p_planning int, p_evaluating int, p_claimed bigint)
returns text language sql immutable parallel safe
as $$
  select case
    when p_pending + p_ready + p_dispatched + p_backoff + p_running + p_waiting + p_failed + p_held + p_planning + p_evaluating = 0
      then case when p_intent = 'cancel' then 'cancelled' else 'completed' end
    when p_intent = 'compensate' then 'compensating'
    when p_failed > 0 then 'failed'
    when p_intent = 'pause' then 'paused'
    when p_planning > 0 then 'planning'
    when p_running + p_ready + p_dispatched > 0 then case when p_claimed > 0 then 'running' else 'pending' end
    when p_held > 0 then 'blocked'
    when p_waiting > 0 then 'waiting'
    when p_backoff > 0 then 'retrying'
    when p_evaluating > 0 then 'evaluating'
    else 'blocked'
  end
$$;

-- n steps of a task went from one bucket to another (null = they are new).
create type baton_v1.move as (tenant_id uuid, task_id uuid, from_bucket text, to_bucket text, n int);

-- A trace row before it has its number.
create type baton_v1.draft as (tenant_id uuid, task_id uuid, step_id uuid, attempt_no int, type text, data jsonb);

create type baton_v1.step_key as (tenant_id uuid, task_id uuid, step_id uuid);

-- Applies moves and writes traces for tasks that the caller has locked.
-- Lock order: task rows are held already. Index: task primary key. Rows: one task each, its drafts.
-- p_facts carries what else the settle wants on the task row: {tenant, task, settled, input_tokens,
-- output_tokens, cost_usd, offline, revision, result, estimated_ms, error}.
create function baton_v1.apply(p_moves baton_v1.move[], p_drafts baton_v1.draft[], p_now timestamptz, p_facts jsonb default '[]')
returns void language plpgsql
as $$
declare
  v_stopped int;
begin
  with touched as (
    select tenant_id, task_id from unnest(p_moves) where n <> 0
    union
    select tenant_id, task_id from unnest(p_drafts)
  ),
  delta as (
    select tenant_id, task_id,
      sum(case when to_bucket = 'pending' then n else 0 end - case when from_bucket = 'pending' then n else 0 end)::int as pending,
      sum(case when to_bucket = 'ready' then n else 0 end - case when from_bucket = 'ready' then n else 0 end)::int as ready,
      sum(case when to_bucket = 'dispatched' then n else 0 end - case when from_bucket = 'dispatched' then n else 0 end)::int as dispatched,
      sum(case when to_bucket = 'backoff' then n else 0 end - case when from_bucket = 'backoff' then n else 0 end)::int as backoff,
      sum(case when to_bucket = 'running' then n else 0 end - case when from_bucket = 'running' then n else 0 end)::int as running,
      sum(case when to_bucket = 'waiting' then n else 0 end - case when from_bucket = 'waiting' then n else 0 end)::int as waiting,
      sum(case when to_bucket = 'failed' then n else 0 end - case when from_bucket = 'failed' then n else 0 end)::int as failed,
      sum(case when to_bucket = 'held' then n else 0 end - case when from_bucket = 'held' then n else 0 end)::int as held,
      sum(case when to_bucket = 'planning' then n else 0 end - case when from_bucket = 'planning' then n else 0 end)::int as planning,
      sum(case when to_bucket = 'evaluating' then n else 0 end - case when from_bucket = 'evaluating' then n else 0 end)::int as evaluating,
      sum(case when to_bucket = 'completed' then n else 0 end - case when from_bucket = 'completed' then n else 0 end)::int as completed,
      sum(case when to_bucket = 'skipped' then n else 0 end - case when from_bucket = 'skipped' then n else 0 end)::int as skipped,
      sum(case when to_bucket = 'cancelled' then n else 0 end - case when from_bucket = 'cancelled' then n else 0 end)::int as cancelled,
      sum(case when to_bucket = 'system_settled' then n else 0 end - case when from_bucket = 'system_settled' then n else 0 end)::int as system_settled,
      sum(case when to_bucket = 'running' and from_bucket is distinct from 'running' then n else 0 end)::int as claimed
    from unnest(p_moves) group by 1, 2
  ),
  fact as (
    select n as tenant_id, t as task_id, sum(settled)::int as settled, sum(i)::bigint as input_tokens, sum(u)::bigint as output_tokens,
           sum(c) as cost_usd, bool_or(f) as offline, sum(revision)::int as revision,
           (array_agg(r) filter (where r is not null))[1] as result, max(e) as estimated_ms,
           (array_agg(x) filter (where x is not null))[1] as error
    from jsonb_to_recordset(p_facts) as o(n uuid, t uuid, settled int, i bigint, u bigint, c numeric, f boolean, revision int, r jsonb, e bigint, x jsonb)
    group by 1, 2
  ),
  next as (
    select t.tenant_id, t.task_id, t.state as old_state, t.trace_no,
      t.pending_count + coalesce(d.pending, 0) as pending, t.ready_count + coalesce(d.ready, 0) as ready,
      t.dispatched_count + coalesce(d.dispatched, 0) as dispatched, t.backoff_count + coalesce(d.backoff, 0) as backoff,
      t.running_count + coalesce(d.running, 0) as running, t.waiting_count + coalesce(d.waiting, 0) as waiting,
      t.failed_count + coalesce(d.failed, 0) as failed, t.held_count + coalesce(d.held, 0) as held,
      t.planning_count + coalesce(d.planning, 0) as planning, t.evaluating_count + coalesce(d.evaluating, 0) as evaluating,
      t.completed_count + coalesce(d.completed, 0) as completed, t.skipped_count + coalesce(d.skipped, 0) as skipped,
      t.cancelled_count + coalesce(d.cancelled, 0) as cancelled, t.system_settled_count + coalesce(d.system_settled, 0) as system_settled,
      t.claimed_count + coalesce(d.claimed, 0) as claimed, t.intent
    from touched k
    join baton.task_execution t using (tenant_id, task_id)
    left join delta d using (tenant_id, task_id)
  ),
  moved as (
    select n.*, baton_v1.task_state(n.intent, n.pending, n.ready, n.dispatched, n.backoff, n.running, n.waiting,
                                    n.failed, n.held, n.planning, n.evaluating, n.claimed) as new_state
    from next n
  ),
  numbered as (
    select tenant_id, task_id, row_number() over (partition by tenant_id, task_id order by ord) as k, step_id, attempt_no, type, data
    from (
      select d.tenant_id, d.task_id, d.step_id, d.attempt_no, d.type, d.data, d.ord
      from unnest(p_drafts) with ordinality as d(tenant_id, task_id, step_id, attempt_no, type, data, ord)
      union all
      select tenant_id, task_id, null, null, 'task-state-changed', jsonb_build_object('from', old_state, 'to', new_state), 9223372036854775807
      from moved where old_state <> new_state
    ) all_drafts
  ),
  counted as (select tenant_id, task_id, max(k) as k from numbered group by 1, 2),
  changed as (
    update baton.task_execution t set
      pending_count = m.pending, ready_count = m.ready, dispatched_count = m.dispatched, backoff_count = m.backoff,
      running_count = m.running, waiting_count = m.waiting, failed_count = m.failed, held_count = m.held,
      planning_count = m.planning, evaluating_count = m.evaluating, completed_count = m.completed,
      skipped_count = m.skipped, cancelled_count = m.cancelled, system_settled_count = m.system_settled,
      claimed_count = m.claimed,
      state = baton_v1.legal_task_move(m.old_state, m.new_state),
      trace_no = t.trace_no + coalesce(c.k, 0),
      settled_seq = t.settled_seq + coalesce(f.settled, 0),
      input_tokens = t.input_tokens + coalesce(f.input_tokens, 0),
      output_tokens = t.output_tokens + coalesce(f.output_tokens, 0),
      cost_usd = case when f.cost_usd is null then t.cost_usd else coalesce(t.cost_usd, 0) + f.cost_usd end,
      offline = t.offline or coalesce(f.offline, false),
      revision_count = t.revision_count + coalesce(f.revision, 0),
      result_expression = coalesce(f.result, t.result_expression),
      estimated_duration_ms = coalesce(f.estimated_ms, t.estimated_duration_ms),
      last_error = coalesce(f.error, t.last_error),
      updated_at = p_now,
      started_at = case when t.started_at is null and m.running + m.completed + m.waiting > 0 then p_now else t.started_at end,
      finished_at = case when m.new_state not in ('completed', 'cancelled', 'failed') then null
                         when m.new_state = m.old_state then t.finished_at else p_now end
    from moved m
    left join counted c using (tenant_id, task_id)
    left join fact f using (tenant_id, task_id)
    where t.tenant_id = m.tenant_id and t.task_id = m.task_id
  ),
  written as (
    insert into baton.task_execution_trace (tenant_id, task_id, no, type, step_id, attempt_no, data, created_at)
    select n.tenant_id, n.task_id, m.trace_no + n.k, n.type, n.step_id, n.attempt_no, n.data, p_now
    from numbered n join moved m using (tenant_id, task_id)
    returning tenant_id, task_id, no, type, data
  ),
  checkpoints as (
    insert into baton.task_checkpoint (tenant_id, task_id, checkpoint_id, trace_no, settled_no, step_count, created_at)
    select tenant_id, task_id, (data->>'checkpointId')::uuid, no, (data->>'settledNo')::int, (data->>'stepCount')::int, p_now
    from written where type = 'checkpoint-saved'
  )
  -- A failure stops the running siblings. Rare, so the commit-time lock of NOTIFY does not matter.
  select count(pg_notify('baton_stop', json_build_object('taskId', m.task_id, 'reason', 'failed')::text)) into v_stopped
  from moved m where m.new_state = 'failed' and m.old_state <> 'failed' and m.running > 0;
end $$;
