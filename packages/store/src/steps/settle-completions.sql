-- settle_completions(outcomes): what most flushes are made of, in one statement. Completed steps of the plan itself,
-- in tasks that simply run: no steps added, no edge judged false, no map's item, nothing evaluated, nothing failed,
-- no intent. Everything else is left to the general rules of settle; both leave the same rows.
-- A successor goes from pending to where it ends up in one update: running for a slot just freed, dispatched, or ready.
-- Its tasks are locked by the caller. Index: primary keys, step_to_dispatch. Rows: a task, a step, its edges and their
-- targets an outcome; its traces.
create function baton_v1.settle_completions(
  p_outcomes jsonb, p_session uuid, p_flush uuid, p_room int, p_now timestamptz,
  out settled text[], out continued baton_v1.step_key[], out wake_ups jsonb)
language plpgsql
as $$
begin
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
    select o.*, s.position, s.pool, t.trace_no, t.concurrency - t.running_count - t.dispatched_count as spare, t.settled_seq,
           row_number() over (partition by o.n, o.t order by s.position)::int as k
    from told o
    cross join lateral (
      select f.position, f.pool, f.state, f.attempt_no, f.session_id, f.kind, f.parent_step_id
      from baton.task_execution_step f where f.tenant_id = o.n and f.task_id = o.t and f.step_id = o.s offset 0) s
    cross join lateral (
      select f.trace_no, f.concurrency, f.running_count, f.dispatched_count, f.settled_seq, f.intent, f.failed_count, f.evaluates
      from baton.task_execution f where f.tenant_id = o.n and f.task_id = o.t offset 0) t
    where s.state = 'running' and s.attempt_no = o.a and s.session_id = p_session and s.kind = 'user' and s.parent_step_id is null
      and t.intent = 'none' and t.failed_count = 0 and not t.evaluates
  ),
  judged as (
    update baton.task_execution_step_edge e set verdict = 'satisfied'
    from done d
    where e.tenant_id = d.n and e.task_id = d.t and e.from_step_id = d.s and e.verdict = 'open'
    returning e.tenant_id, e.task_id, e.to_step_id
  ),
  target as materialized (
    select g.tenant_id as n, g.task_id as t, g.to_step_id as s, g.total, s.pool, s.kind, s.rank, s.position, s.order_at,
           baton_v1.join_holds(s.join_n, s.deps_open - g.total, s.deps_satisfied + g.total, s.deps_dead) as readied
    from (select tenant_id, task_id, to_step_id, count(*)::int as total from judged group by 1, 2, 3) g
    cross join lateral (
      select f.pool, f.kind, f.rank, f.position, f.order_at, f.state, f.join_n, f.deps_open, f.deps_satisfied, f.deps_dead
      from baton.task_execution_step f where f.tenant_id = g.tenant_id and f.task_id = g.task_id and f.step_id = g.to_step_id offset 0) s
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
  -- Windows instead of joins: the rows of one call are never compared with each other pair by pair.
  ranked as (
    select n, t, s, kind, fate, total, output, blob, bytes, usage, settled_no, estimated, trace_count,
      sum(free) over (partition by n, t, pool) as free_slots,
      row_number() over (partition by n, t, pool, fate order by rank desc, position) as nth,
      row_number() over (partition by n, t, fate order by rank desc, position) as nth_of_task,
      max(spare) over (partition by n, t) + count(*) filter (where fate = 'ends') over (partition by n, t) as allowed
    from (
      select n, t, s, pool, 'user' as kind, 'ends' as fate, 0 as total, cont::int as free, 0::bigint as rank, position, spare,
             output, blob, bytes, usage, settled_seq + k as settled_no, estimated, jsonb_array_length(traces) as trace_count
      from done
      union all
      select n, t, s, pool, kind,
             case when not readied then 'waits' when order_at > (select q.order_at from oldest q where q.pool = g.pool) then 'stays' else 'goes' end,
             total, 0, rank, position, null, null, null, null, null, null, null, 0
      from target g
    ) x
  ),
  placed as materialized (
    select n, t, s, kind, fate, total, output, blob, bytes, usage, settled_no, estimated, trace_count, runs,
           fate = 'goes' and not runs and within and row_number() over (partition by fate = 'goes' and not runs and within order by nth_of_task) <= p_room as sent
    from (
      select *, coalesce(nth_of_task <= allowed, true) as within, fate = 'goes' and nth <= free_slots and coalesce(nth_of_task <= allowed, true) as runs from ranked) r
  ),
  moved as (
    update baton.task_execution_step x set
      state = case u.fate when 'ends' then 'completed' when 'waits' then 'pending' else case when u.runs then 'running' else 'ready' end end,
      deps_open = x.deps_open - u.total, deps_satisfied = x.deps_satisfied + u.total,
      available_at = p_now,
      attempt_no = x.attempt_no + u.runs::int,
      session_id = case when u.runs then p_session else x.session_id end,
      claim_flush_id = case when u.runs then p_flush else x.claim_flush_id end,
      started_at = case when u.runs then p_now else x.started_at end,
      dispatched_at = case when u.sent then p_now end,
      dispatch_no = x.dispatch_no + u.sent::int,
      output = u.output, blob_id = u.blob, output_bytes = coalesce(u.bytes, 0),
      error = case when u.fate = 'ends' then null else x.error end,
      settled_no = coalesce(u.settled_no, x.settled_no),
      model = coalesce(u.usage->'model'->>'provider' || '/' || (u.usage->'model'->>'model'), x.model),
      offline = x.offline or coalesce((u.usage->>'offline')::boolean, false),
      input_tokens = x.input_tokens + coalesce((u.usage->>'inputTokens')::bigint, 0),
      output_tokens = x.output_tokens + coalesce((u.usage->>'outputTokens')::bigint, 0),
      cost_usd = case when u.usage->>'costUsd' is null then x.cost_usd else coalesce(x.cost_usd, 0) + (u.usage->>'costUsd')::numeric end,
      settle_flush_id = case when u.fate = 'ends' then p_flush else x.settle_flush_id end,
      finished_at = case when u.fate = 'ends' then p_now end
    from placed u
    where x.tenant_id = u.n and x.task_id = u.t and x.step_id = u.s
    returning x.tenant_id as n, x.task_id as t, x.step_id as s, x.attempt_no as a, x.state, x.pool, x.dispatch_no as d, u.sent
  ),
  change as (
    -- A step that waits counts in a bucket of its own only where it is no plan and no evaluation.
    select n, t,
      count(*) filter (where fate = 'ends') as done,
      count(*) filter (where fate in ('goes', 'stays') and kind not in ('plan', 'evaluate')) as readied,
      count(*) filter (where sent and kind not in ('plan', 'evaluate')) as sent,
      count(*) filter (where runs and kind not in ('plan', 'evaluate')) as claimed,
      count(*) filter (where runs) as started,
      sum(trace_count) as trace_count, max(estimated) as estimated,
      coalesce(sum((usage->>'inputTokens')::bigint), 0)::bigint as input_tokens, coalesce(sum((usage->>'outputTokens')::bigint), 0)::bigint as output_tokens,
      sum((usage->>'costUsd')::numeric) as cost_usd, coalesce(bool_or((usage->>'offline')::boolean), false) as offline
    from placed group by 1, 2
  ),
  next as materialized (
    select c.*, f.state as old_state, f.settled_seq + c.done as settled_no, f.completed_count + c.done as step_count,
      (f.completed_count + c.done) / f.checkpoint_interval > f.completed_count / f.checkpoint_interval as checkpoint,
      baton_v1.task_state('none', (f.pending_count - c.readied)::int, (f.ready_count + c.readied - c.sent - c.claimed)::int, (f.dispatched_count + c.sent)::int,
        f.backoff_count, (f.running_count - c.done + c.claimed)::int, f.waiting_count, 0, f.held_count, f.planning_count, f.evaluating_count, f.claimed_count) as new_state
    from change c
    cross join lateral (
      select f.state, f.settled_seq, f.completed_count, f.checkpoint_interval, f.pending_count, f.ready_count, f.dispatched_count, f.backoff_count,
             f.running_count, f.waiting_count, f.held_count, f.planning_count, f.evaluating_count, f.claimed_count
      from baton.task_execution f where f.tenant_id = c.n and f.task_id = c.t offset 0) f
  ),
  written as (
    insert into baton.task_execution_trace (tenant_id, task_id, no, type, step_id, attempt_no, data, created_at)
    select n, t, max(trace_no) over (partition by n, t) + row_number() over (partition by n, t order by part, k, ord), type, s, a, data, p_now
    from (
      select d.n, d.t, d.s, d.a, d.trace_no, e.trace->>'type' as type, e.trace->'data' as data, 1 as part, d.k, e.ord
      from done d cross join lateral jsonb_array_elements(d.traces) with ordinality as e(trace, ord)
      union all
      select n, t, s, a, trace_no, 'step-completed', jsonb_strip_nulls(jsonb_build_object(
        'deadEdges', '[]'::jsonb, 'sizeBytes', coalesce(bytes, 0), 'preview', coalesce(preview, ''), 'blobId', blob)), 1, k, 9223372036854775807
      from done
      union all
      select n, t, null, null, null, 'checkpoint-saved', jsonb_build_object('checkpointId', baton.uuid7(), 'settledNo', settled_no, 'stepCount', step_count), 2, 0, 0
      from next where checkpoint
      union all
      select m.n, m.t, m.s, m.a, null, 'step-started', jsonb_build_object('sessionId', p_session, 'worker', w.worker, 'continued', true), 3, 0, 0
      from moved m cross join (select worker from baton.worker_session where session_id = p_session) w
      where m.state = 'running'
      union all
      select n, t, null, null, null, 'task-state-changed', jsonb_build_object('from', old_state, 'to', new_state), 4, 0, 0
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
  select array_agg(s || '/' || a) filter (where state = 'completed'),
         array_agg(row(n, t, s)::baton_v1.step_key) filter (where state = 'running'),
         jsonb_agg(jsonb_build_object('pool', pool, 'n', n, 't', t, 's', s, 'd', d)) filter (where sent)
  from moved into settled, continued, wake_ups;
  settled := coalesce(settled, '{}');
  continued := coalesce(continued, '{}');
  wake_ups := coalesce(wake_ups, '[]');
end $$;
