-- settle_completions(outcomes): what most flushes are made of, in one statement. Completed steps of the plan itself,
-- in tasks that simply run: no steps added, no edge judged false, no map's item, nothing evaluated, nothing failed,
-- no intent. Everything else is left to the general rules of settle; both leave the same rows.
-- A successor goes from pending to where it ends up in one update: running for a slot just freed, dispatched, or ready.
-- Its tasks are locked by the caller. Index: primary keys, step_to_dispatch. Rows: a task, a step, its edges and their
-- targets an outcome; its traces.
create function baton_v1.settle_completions(
  p_outcomes jsonb, p_session uuid, p_flush uuid, p_room int, p_now timestamptz,
  out settled int, out answers jsonb, out continued baton_v1.step_key[], out wake_ups jsonb)
language plpgsql
as $$
declare
  v_started jsonb;
begin
  select jsonb_build_object('sessionId', p_session, 'worker', w.worker, 'continued', true)
  from baton.worker_session w where w.session_id = p_session into v_started;

  with told as materialized (
    -- An attempt that is told twice in one call counts once: the first wins.
    select distinct on (s) n, t, s, a, output, blob, bytes, preview, estimated, usage, traces, cont from rows from (jsonb_to_recordset(p_outcomes) as (
      n uuid, t uuid, s uuid, a int, outcome text, output jsonb, blob uuid, bytes int, preview text, dead jsonb, adds jsonb,
      result jsonb, estimated bigint, usage jsonb, traces jsonb, cont boolean))
      with ordinality as told(n, t, s, a, outcome, output, blob, bytes, preview, dead, adds, result, estimated, usage, traces, cont, ord)
    where outcome = 'completed' and adds is null and result is null and coalesce(dead, '[]') = '[]'
    order by s, ord
  ),
  done as materialized (
    select o.*, s.pool, t.trace_no, t.settled_seq, t.concurrency - t.running_count - t.dispatched_count as spare,
           row_number() over (partition by o.n, o.t order by s.position)::int as k,
           count(*) over (partition by o.n, o.t) as ended, sum(o.cont::int) over (partition by o.n, o.t, s.pool) as freed
    from told o
    cross join lateral (
      select f.position, f.pool, f.state, f.attempt_no, f.kind, f.parent_step_id
      from baton.task_execution_step f where f.tenant_id = o.n and f.task_id = o.t and f.step_id = o.s offset 0) s
    cross join lateral (
      select f.trace_no, f.concurrency, f.running_count, f.dispatched_count, f.settled_seq, f.intent, f.failed_count, f.evaluates
      from baton.task_execution f where f.tenant_id = o.n and f.task_id = o.t offset 0) t
    where s.state = 'running' and s.attempt_no = o.a and s.kind = 'user' and s.parent_step_id is null
      and t.intent = 'none' and t.failed_count = 0 and not t.evaluates
  ),
  completed as (
    update baton.task_execution_step x set
      state = 'completed', available_at = p_now, error = null, output = d.output, blob_id = d.blob, output_bytes = coalesce(d.bytes, 0),
      settled_no = d.settled_seq + d.k, settle_flush_id = p_flush, finished_at = p_now,
      model = coalesce(d.usage->'model'->>'provider' || '/' || (d.usage->'model'->>'model'), x.model),
      offline = x.offline or coalesce((d.usage->>'offline')::boolean, false),
      input_tokens = x.input_tokens + coalesce((d.usage->>'inputTokens')::bigint, 0),
      output_tokens = x.output_tokens + coalesce((d.usage->>'outputTokens')::bigint, 0),
      cost_usd = case when d.usage->>'costUsd' is null then x.cost_usd else coalesce(x.cost_usd, 0) + (d.usage->>'costUsd')::numeric end
    from done d
    where x.tenant_id = d.n and x.task_id = d.t and x.step_id = d.s
  ),
  judged as (
    update baton.task_execution_step_edge e set verdict = 'satisfied'
    from done d
    where e.tenant_id = d.n and e.task_id = d.t and e.from_step_id = d.s and e.verdict = 'open'
    returning e.tenant_id as n, e.task_id as t, e.to_step_id as s, d.pool, d.freed, d.ended, d.spare, d.trace_no
  ),
  target as materialized (
    -- A slot counts as free for a step whose sources have all left one of its pool; others go through the queue.
    select g.*, s.pool, s.kind, s.rank, s.position, s.order_at, case when g.only_pool = s.pool then g.freed_there end as freed,
           baton_v1.join_holds(s.join_n, s.deps_open - g.total, s.deps_satisfied + g.total, s.deps_dead) as readied
    from (
      select n, t, s, count(*)::int as total, case when min(pool) = max(pool) then min(pool) end as only_pool, max(freed) as freed_there,
             max(spare) + max(ended) as allowed, max(trace_no) as trace_no
      from judged group by n, t, s) g
    cross join lateral (
      select f.pool, f.kind, f.rank, f.position, f.order_at, f.state, f.join_n, f.deps_open, f.deps_satisfied, f.deps_dead
      from baton.task_execution_step f where f.tenant_id = g.n and f.task_id = g.t and f.step_id = g.s offset 0) s
    where s.state = 'pending'
  ),
  oldest as materialized (
    -- The oldest or most urgent step that waits for the pump; what stands here is older than this call.
    select p.pool, (
      select w.order_at from baton.task_execution_step w
      where w.pool = p.pool and w.state = 'ready' and w.dispatched_at is null and w.order_at < 'infinity' and w.available_at <= p_now
      order by w.order_at limit 1) as order_at
    from (select distinct pool from target where readied) p
  ),
  placed as materialized (
    select n, t, s, kind, fate, total, trace_no, runs,
           within and not runs and row_number() over (partition by within and not runs order by nth) <= p_room as sent
    from (
      select *, within and nth_of_pool <= coalesce(freed, 0) as runs
      from (
        select *, fate = 'goes' and coalesce(nth <= allowed, true) as within
        from (
          select *, row_number() over (partition by n, t, fate order by rank desc, position) as nth,
                 row_number() over (partition by n, t, fate, pool order by rank desc, position) as nth_of_pool
          from (
            select *, case when not readied then 'waits'
                           when order_at > (select q.order_at from oldest q where q.pool = g.pool) then 'stays' else 'goes' end as fate
            from target g) g) g) g) g
  ),
  moved as (
    update baton.task_execution_step x set
      state = case when u.runs then 'running' when u.fate = 'waits' then 'pending' else 'ready' end,
      deps_open = x.deps_open - u.total, deps_satisfied = x.deps_satisfied + u.total,
      available_at = p_now,
      attempt_no = x.attempt_no + u.runs::int,
      session_id = case when u.runs then p_session else x.session_id end,
      claim_flush_id = case when u.runs then p_flush else x.claim_flush_id end,
      started_at = case when u.runs then p_now else x.started_at end,
      dispatched_at = case when u.sent then p_now end,
      dispatch_no = x.dispatch_no + u.sent::int
    from placed u
    where x.tenant_id = u.n and x.task_id = u.t and x.step_id = u.s
    returning u.n, u.t, u.s, x.attempt_no as a, u.runs, u.sent, x.pool, x.dispatch_no as d, u.trace_no
  ),
  change as (
    -- A step that waits counts in a bucket of its own only where it is no plan and no evaluation.
    select n, t, sum(done) as done, sum(readied) as readied, sum(sent) as sent, sum(claimed) as claimed, sum(started) as started,
      sum(trace_count) as trace_count, max(estimated) as estimated,
      coalesce(sum((usage->>'inputTokens')::bigint), 0)::bigint as input_tokens, coalesce(sum((usage->>'outputTokens')::bigint), 0)::bigint as output_tokens,
      sum((usage->>'costUsd')::numeric) as cost_usd, coalesce(bool_or((usage->>'offline')::boolean), false) as offline
    from (
      select n, t, 1 as done, 0 as readied, 0 as sent, 0 as claimed, 0 as started, jsonb_array_length(traces) as trace_count, estimated, usage from done
      union all
      select n, t, 0, (fate <> 'waits' and counted)::int, (sent and counted)::int, (runs and counted)::int, runs::int, 0, null, null
      from (select *, kind not in ('plan', 'evaluate') as counted from placed) p
    ) c
    group by n, t
  ),
  next as materialized (
    select c.*, f.trace_no, f.state as old_state, f.settled_seq + c.done as settled_no, f.completed_count + c.done as step_count,
      (f.completed_count + c.done) / f.checkpoint_interval > f.completed_count / f.checkpoint_interval as checkpoint,
      baton_v1.task_state('none', (f.pending_count - c.readied)::int, (f.ready_count + c.readied - c.sent - c.claimed)::int, (f.dispatched_count + c.sent)::int,
        f.backoff_count, (f.running_count - c.done + c.claimed)::int, f.waiting_count, 0, f.held_count, f.planning_count, f.evaluating_count, f.claimed_count) as new_state
    from change c
    cross join lateral (
      select f.trace_no, f.state, f.settled_seq, f.completed_count, f.checkpoint_interval, f.pending_count, f.ready_count, f.dispatched_count, f.backoff_count,
             f.running_count, f.waiting_count, f.held_count, f.planning_count, f.evaluating_count, f.claimed_count
      from baton.task_execution f where f.tenant_id = c.n and f.task_id = c.t offset 0) f
  ),
  written as (
    insert into baton.task_execution_trace (tenant_id, task_id, no, type, step_id, attempt_no, data, created_at)
    select n, t, trace_no + row_number() over (partition by n, t order by part, k, ord), type, s, a, data, p_now
    from (
      select d.n, d.t, d.s, d.a, d.trace_no, e.trace->>'type' as type, e.trace->'data' as data, 1 as part, d.k, e.ord
      from done d cross join lateral jsonb_array_elements(d.traces) with ordinality as e(trace, ord)
      union all
      select n, t, s, a, trace_no, 'step-completed', jsonb_strip_nulls(jsonb_build_object(
        'deadEdges', '[]'::jsonb, 'sizeBytes', coalesce(bytes, 0), 'preview', coalesce(preview, ''), 'blobId', blob)), 1, k, 9223372036854775807
      from done
      union all
      select n, t, null, null, trace_no, 'checkpoint-saved', jsonb_build_object('checkpointId', baton.uuid7(), 'settledNo', settled_no, 'stepCount', step_count), 2, 0, 0
      from next where checkpoint
      union all
      select n, t, s, a, trace_no, 'step-started', v_started, 3, 0, 0
      from moved where runs
      union all
      select n, t, null, null, trace_no, 'task-state-changed', jsonb_build_object('from', old_state, 'to', new_state), 4, 0, 0
      from next where old_state <> new_state
    ) draft
    returning tenant_id, task_id, no, type, data
  ),
  checkpoints as (
    insert into baton.task_checkpoint (tenant_id, task_id, checkpoint_id, trace_no, settled_no, step_count, created_at)
    select tenant_id, task_id, (data->>'checkpointId')::uuid, no, (data->>'settledNo')::int, (data->>'stepCount')::int, p_now
    from written where type = 'checkpoint-saved'
  ),
  changed as (
    update baton.task_execution x set
      pending_count = x.pending_count - v.readied,
      ready_count = x.ready_count + v.readied - v.sent - v.claimed,
      dispatched_count = x.dispatched_count + v.sent,
      running_count = x.running_count - v.done + v.claimed,
      completed_count = x.completed_count + v.done,
      claimed_count = x.claimed_count + v.claimed,
      state = case when v.old_state = v.new_state then x.state else baton_v1.legal_task_move(v.old_state, v.new_state) end,
      trace_no = x.trace_no + v.trace_count + v.done + v.started + v.checkpoint::int + (v.old_state <> v.new_state)::int,
      settled_seq = x.settled_seq + v.done,
      input_tokens = x.input_tokens + v.input_tokens, output_tokens = x.output_tokens + v.output_tokens,
      cost_usd = case when v.cost_usd is null then x.cost_usd else coalesce(x.cost_usd, 0) + v.cost_usd end,
      offline = x.offline or v.offline,
      estimated_duration_ms = coalesce(v.estimated, x.estimated_duration_ms),
      updated_at = p_now,
      finished_at = case when v.new_state = 'completed' then p_now end
    from next v
    where x.tenant_id = v.n and x.task_id = v.t
  )
  select (select count(*) from done), (select jsonb_agg(jsonb_build_object('s', s, 'a', a, 'status', 'settled')) from done),
         array_agg(row(n, t, s)::baton_v1.step_key) filter (where runs),
         jsonb_agg(jsonb_build_object('pool', pool, 'n', n, 't', t, 's', s, 'd', d)) filter (where sent)
  from moved into settled, answers, continued, wake_ups;
  answers := coalesce(answers, '[]');
  continued := coalesce(continued, '{}');
  wake_ups := coalesce(wake_ups, '[]');
end $$;
