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

-- What applies to a step that failed: its policy, unless it is held for a person to decide.
create function baton_v1.resting_policy(p_on_exhausted text, p_held boolean)
returns text language sql immutable parallel safe
as $$ select case when p_held then 'hold' else p_on_exhausted end $$;

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
  v_parked baton_v1.step_key[];
  v_freed baton_v1.step_key[];
begin
  -- One aggregate and one join with the task table: whatever the statistics say, the cost is linear.
  with part as (
    select tenant_id, task_id, to_bucket as bucket, n as delta, case when to_bucket = 'running' and from_bucket is distinct from 'running' then n else 0 end as claimed,
           0 as drafts, 0 as settled, 0::bigint as input_tokens, 0::bigint as output_tokens, null::numeric as cost_usd, false as offline,
           0 as revision, null::jsonb as result, null::bigint as estimated_ms, null::jsonb as error
    from unnest(p_moves) where n <> 0
    union all
    select tenant_id, task_id, from_bucket, -n, 0, 0, 0, 0, 0, null, false, 0, null, null, null from unnest(p_moves) where n <> 0
    union all
    select tenant_id, task_id, null, 0, 0, 1, 0, 0, 0, null, false, 0, null, null, null from unnest(p_drafts)
    union all
    select n, t, null, 0, 0, 0, settled, i, u, c, f, revision, r, e, x
    from jsonb_to_recordset(p_facts) as o(n uuid, t uuid, settled int, i bigint, u bigint, c numeric, f boolean, revision int, r jsonb, e bigint, x jsonb)
  ),
  change as (
    select tenant_id, task_id,
      coalesce(sum(delta) filter (where bucket = 'pending'), 0)::int as pending,
      coalesce(sum(delta) filter (where bucket = 'ready'), 0)::int as ready,
      coalesce(sum(delta) filter (where bucket = 'dispatched'), 0)::int as dispatched,
      coalesce(sum(delta) filter (where bucket = 'backoff'), 0)::int as backoff,
      coalesce(sum(delta) filter (where bucket = 'running'), 0)::int as running,
      coalesce(sum(delta) filter (where bucket = 'waiting'), 0)::int as waiting,
      coalesce(sum(delta) filter (where bucket = 'failed'), 0)::int as failed,
      coalesce(sum(delta) filter (where bucket = 'held'), 0)::int as held,
      coalesce(sum(delta) filter (where bucket = 'planning'), 0)::int as planning,
      coalesce(sum(delta) filter (where bucket = 'evaluating'), 0)::int as evaluating,
      coalesce(sum(delta) filter (where bucket = 'completed'), 0)::int as completed,
      coalesce(sum(delta) filter (where bucket = 'skipped'), 0)::int as skipped,
      coalesce(sum(delta) filter (where bucket = 'cancelled'), 0)::int as cancelled,
      coalesce(sum(delta) filter (where bucket = 'system_settled'), 0)::int as system_settled,
      sum(claimed)::int as claimed, sum(drafts)::int as drafts, coalesce(sum(settled), 0)::int as settled,
      coalesce(sum(input_tokens), 0)::bigint as input_tokens, coalesce(sum(output_tokens), 0)::bigint as output_tokens,
      sum(cost_usd) as cost_usd, coalesce(bool_or(offline), false) as offline, coalesce(sum(revision), 0)::int as revision,
      (array_agg(result) filter (where result is not null))[1] as result, max(estimated_ms) as estimated_ms,
      (array_agg(error) filter (where error is not null))[1] as error
    from part group by 1, 2
  ),
  next as (
    select t.tenant_id, t.task_id, t.intent, t.state as old_state, t.trace_no, t.order_at,
      t.pending_count + c.pending as pending,
      t.ready_count + c.ready as ready,
      t.dispatched_count + c.dispatched as dispatched,
      t.backoff_count + c.backoff as backoff,
      t.running_count + c.running as running,
      t.waiting_count + c.waiting as waiting,
      t.failed_count + c.failed as failed,
      t.held_count + c.held as held,
      t.planning_count + c.planning as planning,
      t.evaluating_count + c.evaluating as evaluating,
      t.completed_count + c.completed as completed,
      t.skipped_count + c.skipped as skipped,
      t.cancelled_count + c.cancelled as cancelled,
      t.system_settled_count + c.system_settled as system_settled,
      t.claimed_count + c.claimed as claimed, c.drafts, c.settled, c.input_tokens, c.output_tokens, c.cost_usd, c.offline, c.revision,
      c.result, c.estimated_ms, c.error
    from change c
    join baton.task_execution t using (tenant_id, task_id)
  ),
  moved as (
    select n.*, baton_v1.task_state(n.intent, n.pending, n.ready, n.dispatched, n.backoff, n.running, n.waiting,
                                    n.failed, n.held, n.planning, n.evaluating, n.claimed) as new_state
    from next n
  ),
  numbered as (
    select tenant_id, task_id, step_id, attempt_no, type, data, row_number() over (partition by tenant_id, task_id order by ord) as k,
           max(trace_no) over (partition by tenant_id, task_id) as trace_no
    from (
      select d.tenant_id, d.task_id, d.step_id, d.attempt_no, d.type, d.data, d.ord, null::bigint as trace_no
      from unnest(p_drafts) with ordinality as d(tenant_id, task_id, step_id, attempt_no, type, data, ord)
      union all
      -- The task's own row, last: it carries the number to count from, and the change of state where there is one.
      select tenant_id, task_id, null, null, case when old_state <> new_state then 'task-state-changed' end,
             jsonb_build_object('from', old_state, 'to', new_state), 9223372036854775807, trace_no
      from moved
    ) rows
  ),
  changed as (
    update baton.task_execution t set
      pending_count = m.pending,
      ready_count = m.ready,
      dispatched_count = m.dispatched,
      backoff_count = m.backoff,
      running_count = m.running,
      waiting_count = m.waiting,
      failed_count = m.failed,
      held_count = m.held,
      planning_count = m.planning,
      evaluating_count = m.evaluating,
      completed_count = m.completed,
      skipped_count = m.skipped,
      cancelled_count = m.cancelled,
      system_settled_count = m.system_settled,
      claimed_count = m.claimed,
      state = baton_v1.legal_task_move(m.old_state, m.new_state),
      trace_no = t.trace_no + m.drafts + case when m.old_state <> m.new_state then 1 else 0 end,
      settled_seq = t.settled_seq + m.settled,
      input_tokens = t.input_tokens + m.input_tokens,
      output_tokens = t.output_tokens + m.output_tokens,
      cost_usd = case when m.cost_usd is null then t.cost_usd else coalesce(t.cost_usd, 0) + m.cost_usd end,
      offline = t.offline or m.offline,
      revision_count = t.revision_count + m.revision,
      result_expression = coalesce(m.result, t.result_expression),
      estimated_duration_ms = coalesce(m.estimated_ms, t.estimated_duration_ms),
      last_error = coalesce(m.error, t.last_error),
      updated_at = p_now,
      started_at = case when t.started_at is null and m.running + m.completed + m.waiting > 0 then p_now else t.started_at end,
      finished_at = case when m.new_state not in ('completed', 'cancelled', 'failed') then null
                         when m.new_state = m.old_state then t.finished_at else p_now end
    from moved m
    where t.tenant_id = m.tenant_id and t.task_id = m.task_id
  ),
  written as (
    insert into baton.task_execution_trace (tenant_id, task_id, no, type, step_id, attempt_no, data, created_at)
    select tenant_id, task_id, trace_no + k, type, step_id, attempt_no, data, p_now
    from numbered where type is not null
    returning tenant_id, task_id, no, type, data
  ),
  checkpoints as (
    insert into baton.task_checkpoint (tenant_id, task_id, checkpoint_id, trace_no, settled_no, step_count, created_at)
    select tenant_id, task_id, (data->>'checkpointId')::uuid, no, (data->>'settledNo')::int, (data->>'stepCount')::int, p_now
    from written where type = 'checkpoint-saved'
  )
  select
    -- A failure stops the running siblings. Rare, so the commit-time lock of NOTIFY does not matter.
    count(case when new_state = 'failed' and old_state <> 'failed' and running > 0
               then pg_notify('baton_stop', json_build_object('taskId', task_id, 'reason', 'failed')::text) end),
    array_agg(row(tenant_id, task_id, null)::baton_v1.step_key) filter (where new_state in ('failed', 'paused') and ready + backoff + planning + evaluating > 0),
    array_agg(row(tenant_id, task_id, null)::baton_v1.step_key) filter (where old_state in ('failed', 'paused') and new_state not in ('failed', 'paused', 'completed', 'cancelled'))
  from moved into v_stopped, v_parked, v_freed;

  -- What may not be claimed stands last in the order of dispatch, so that nobody passes over it again and again.
  if v_parked is not null then
    update baton.task_execution_step s set order_at = 'infinity'
    from unnest(v_parked) k
    where s.tenant_id = k.tenant_id and s.task_id = k.task_id and s.state = 'ready' and s.order_at <> 'infinity';
  end if;
  if v_freed is not null then
    update baton.task_execution_step s set order_at = t.order_at
    from unnest(v_freed) k join baton.task_execution t using (tenant_id, task_id)
    where s.tenant_id = k.tenant_id and s.task_id = k.task_id and s.order_at = 'infinity';
  end if;
end $$;
