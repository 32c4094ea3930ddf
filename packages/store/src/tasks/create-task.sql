-- create_tasks: tasks of one tenant, each with its steps, edges and first traces, durable in one transaction; ready
-- steps are dispatched at once where nothing older waits. Model calls made before a task existed (the decision about
-- its message) count to its account. All of it is new, so every row is written once, as it stays: nothing has to be
-- read or moved.
-- A task that waits for its thread is paused where another task of the thread is live; two that are created at the same
-- moment do not see each other.
-- Lock order: the new task rows only. Index: primary keys, step_to_dispatch, task_by_thread. Rows: the new ones.
create function baton_v1.create_tasks(p_tasks jsonb, p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_sent jsonb;
  v_named int;
begin
  with told as materialized (
    select ord, j, (j->>'tenantId')::uuid as n, (j->>'taskId')::uuid as t, (j->'settings'->>'concurrency')::int as concurrency,
           v_now - make_interval(mins => coalesce((j->'settings'->>'priority')::int, 0)) as order_at,
           coalesce((j->>'waitsForThread')::boolean, false) and exists (
             select from baton.task_execution x where x.tenant_id = (j->>'tenantId')::uuid and x.thread_id = j->>'threadId'
               and x.state not in ('completed', 'cancelled', 'failed')) as waits
    from jsonb_array_elements(p_tasks) with ordinality as e(j, ord)
  ),
  given as materialized (
    select k.ord, k.n, k.t, k.concurrency, k.order_at, k.waits, g.*, jsonb_array_length(g.deps) as total,
           baton_v1.join_holds(g.join_n, jsonb_array_length(g.deps), 0, 0) as readied
    from told k
    cross join lateral rows from (jsonb_to_recordset(k.j->'steps') as (
      id uuid, key text, kind text, type text, description text, config jsonb, join_n int, refs text[], rank bigint,
      pool text, timeout_ms bigint, retry jsonb, on_exhausted text, deps jsonb))
      with ordinality as g(id, key, kind, type, description, config, join_n, refs, rank, pool, timeout_ms, retry, on_exhausted, deps, place)
  ),
  oldest as materialized (
    select p.pool, (
      select w.order_at from baton.task_execution_step w
      where w.pool = p.pool and w.state = 'ready' and w.dispatched_at is null and w.order_at < 'infinity' and w.available_at <= v_now
      order by w.order_at limit 1) as order_at
    from (select distinct pool from given where readied) p
  ),
  placed as materialized (
    select *, goes and row_number() over (partition by goes order by ord, rank desc, place) <= p_room as sent
    from (
      select *, may_go and row_number() over (partition by ord, may_go order by rank desc, place) <= coalesce(concurrency, 2147483647) as goes
      from (
        select *, readied and not waits and coalesce(order_at <= (select q.order_at from oldest q where q.pool = g.pool), true) as may_go,
               baton_v1.bucket(kind, 'pending', false, false, on_exhausted) as bucket
        from given g) g
    ) g
  ),
  counted as materialized (
    select ord, n, t,
      count(*) filter (where not readied and bucket = 'pending') as pending,
      count(*) filter (where readied and not sent and bucket = 'pending') as ready,
      count(*) filter (where sent and bucket = 'pending') as dispatched,
      count(*) filter (where bucket = 'planning') as planning,
      count(*) filter (where bucket = 'evaluating') as evaluating,
      count(*) as total, count(*) filter (where kind in ('user', 'reply')) as of_plan
    from placed group by 1, 2, 3
  ),
  started as materialized (
    select k.j, k.concurrency, k.order_at, k.waits, c.*, s.*, jsonb_array_length(k.j->'traces') as trace_count,
           baton_v1.task_state(case when k.waits then 'pause' else 'none' end, c.pending::int, c.ready::int, c.dispatched::int, 0, 0, 0, 0, 0, c.planning::int, c.evaluating::int, 0) as state
    from counted c
    cross join lateral (select * from told x where x.ord = c.ord) k
    cross join lateral (
      select coalesce(sum((d->'data'->>'inputTokens')::bigint), 0) as input_tokens, coalesce(sum((d->'data'->>'outputTokens')::bigint), 0) as output_tokens,
             sum((d->'data'->>'costUsd')::numeric) as cost_usd, coalesce(bool_or((d->'data'->>'offline')::boolean), false) as offline
      from jsonb_array_elements(k.j->'traces') d where d->>'type' = 'model-called') s
  ),
  new_tasks as (
    insert into baton.task_execution (
      tenant_id, task_id, kind, goal, input, settings, result_expression, estimated_duration_ms, thread_id, origin_task_id, parent_task_id, root_task_id, depth, created_by,
      order_at, concurrency, checkpoint_interval, evaluates, offline, created_at, updated_at, state, trace_no, step_seq, user_step_count,
      pending_count, ready_count, dispatched_count, planning_count, evaluating_count, input_tokens, output_tokens, cost_usd, intent, waits_in_thread)
    select n, t, j->>'kind', j->>'goal', j->'input', j->'settings', nullif(j->'result', 'null'),
      (j->>'estimatedDurationMs')::bigint, j->>'threadId', (j->>'originTaskId')::uuid,
      (j->>'parentTaskId')::uuid, (j->>'rootTaskId')::uuid, coalesce((j->>'depth')::int, 0), (j->>'createdBy')::uuid,
      order_at, concurrency, coalesce((j->'settings'->>'checkpointInterval')::int, 5),
      j->>'kind' = 'goal' and coalesce((j->'settings'->>'evaluate')::boolean, true), offline, v_now, v_now,
      state, 1 + trace_count + (total + 199) / 200 + waits::int + (state <> 'pending')::int, total, of_plan,
      pending, ready, dispatched, planning, evaluating, input_tokens, output_tokens, cost_usd, case when waits then 'pause' else 'none' end, waits
    from started order by n, t
  ),
  new_steps as (
    insert into baton.task_execution_step (
      tenant_id, task_id, step_id, key, position, kind, type, description, config, state, join_n, deps_open, reference_keys, rank, pool, order_at,
      timeout_ms, retry, on_exhausted, available_at, created_at, dispatched_at, dispatch_no)
    select n, t, id, key, place - 1, kind, type, description, config, case when readied then 'ready' else 'pending' end, join_n, total,
      coalesce(refs, '{}'), rank, pool, order_at, timeout_ms, retry, on_exhausted, v_now, v_now, case when sent then v_now end, sent::int
    from placed
  ),
  new_edges as (
    insert into baton.task_execution_step_edge (tenant_id, task_id, from_step_id, to_step_id, condition)
    select g.n, g.t, d.step, g.id, d.condition
    from placed g cross join lateral jsonb_to_recordset(g.deps) as d(step uuid, condition jsonb)
  ),
  new_traces as (
    insert into baton.task_execution_trace (tenant_id, task_id, no, type, data, created_at)
    select n, t, row_number() over (partition by ord order by part, k), type, data, v_now
    from (
      select ord, n, t, 1 as part, 0::bigint as k, 'task-created' as type, jsonb_strip_nulls(jsonb_build_object(
        'kind', j->>'kind', 'goal', left(j->>'goal', 500), 'originTaskId', j->>'originTaskId', 'parentTaskId', j->>'parentTaskId')) as data
      from told
      union all
      select ord, n, t, 2, k, d->>'type', d->'data' from told cross join lateral jsonb_array_elements(j->'traces') with ordinality as e(d, k)
      union all
      select ord, n, t, 3, (place - 1) / 200, 'steps-added', jsonb_build_object('reason', 'created', 'steps', jsonb_agg(baton_v1.step_added(s) order by place))
      from told cross join lateral jsonb_array_elements(j->'steps') with ordinality as e(s, place)
      group by ord, n, t, (place - 1) / 200
      union all
      select ord, n, t, 4, 0, 'task-paused', jsonb_build_object('by', 'chat', 'reason', 'waits for its turn in the thread') from started where waits
      union all
      select ord, n, t, 5, 0, 'task-state-changed', jsonb_build_object('from', 'pending', 'to', state) from started where state <> 'pending'
    ) draft
  )
  select jsonb_agg(jsonb_build_object('pool', pool, 'n', n, 't', t, 's', id, 'd', 1) order by ord, place) from placed where sent into v_sent;

  if jsonb_path_exists(p_tasks, '$[*].idempotency') then
    update baton.idempotency_key x set task_id = (j->>'taskId')::uuid
    from jsonb_array_elements(p_tasks) as e(j)
    where j ? 'idempotency' and x.tenant_id = (j->>'tenantId')::uuid and x.route = j->'idempotency'->>'route' and x.key = j->'idempotency'->>'key'
      and x.task_id is null and x.holder is not distinct from (j->'idempotency'->>'holder')::uuid;
    get diagnostics v_named = row_count;
    if v_named < (select count(*) from jsonb_array_elements(p_tasks) as e(j) where j ? 'idempotency') then
      raise exception 'the idempotency key is held by another request' using errcode = 'BT003';
    end if;
  end if;
  return coalesce(v_sent, '[]');
end $$;

-- One task, as create_tasks. Lock order: the new task row only. Index: primary keys. Rows: the new ones.
create function baton_v1.create_task(p_task jsonb, p_room int)
returns jsonb language plpgsql
as $$
begin
  return baton_v1.create_tasks(jsonb_build_array(p_task), p_room);
end $$;
