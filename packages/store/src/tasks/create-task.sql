-- create_task: the task, its steps, edges and first traces, durable in one transaction; ready steps are dispatched at
-- once where nothing older waits. Model calls made before the task existed (the decision about its message) count to
-- its account. All of it is new, so every row is written once, as it stays: nothing has to be read or moved.
-- Lock order: the new task row only. Index: primary keys, step_to_dispatch. Rows: the new ones.
create function baton_v1.create_task(p_task jsonb, p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_tenant uuid := (p_task->>'tenantId')::uuid;
  v_task uuid := (p_task->>'taskId')::uuid;
  v_order timestamptz := v_now - make_interval(mins => coalesce((p_task->'settings'->>'priority')::int, 0));
  v_concurrency int := (p_task->'settings'->>'concurrency')::int;
  v_sent jsonb;
begin
  with given as materialized (
    select g.*, row_number() over () - 1 as position, jsonb_array_length(g.deps) as total,
           baton_v1.join_holds(g.join_n, jsonb_array_length(g.deps), 0, 0) as readied
    from jsonb_to_recordset(p_task->'steps') as g(
      id uuid, key text, kind text, type text, description text, config jsonb, join_n int, refs text[], rank bigint,
      pool text, timeout_ms bigint, retry jsonb, on_exhausted text, deps jsonb)
  ),
  oldest as materialized (
    select p.pool, (
      select w.order_at from baton.task_execution_step w
      where w.pool = p.pool and w.state = 'ready' and w.dispatched_at is null and w.order_at < 'infinity' and w.available_at <= v_now
      order by w.order_at limit 1) as order_at
    from (select distinct pool from given where readied) p
  ),
  placed as materialized (
    select *, goes and row_number() over (partition by goes order by rank desc, position) <= least(p_room, coalesce(v_concurrency, p_room)) as sent
    from (select *, readied and coalesce(v_order <= (select q.order_at from oldest q where q.pool = g.pool), true) as goes from given g) g
  ),
  counted as materialized (
    select
      count(*) filter (where not readied and bucket = 'pending') as pending,
      count(*) filter (where readied and not sent and bucket = 'pending') as ready,
      count(*) filter (where sent and bucket = 'pending') as dispatched,
      count(*) filter (where bucket = 'planning') as planning,
      count(*) filter (where bucket = 'evaluating') as evaluating,
      count(*) as total, count(*) filter (where kind in ('user', 'reply')) as of_plan
    from (select *, baton_v1.bucket(kind, 'pending', false, false, on_exhausted) as bucket from placed) b
  ),
  spent as materialized (
    select coalesce(sum((d->'data'->>'inputTokens')::bigint), 0) as input_tokens, coalesce(sum((d->'data'->>'outputTokens')::bigint), 0) as output_tokens,
           sum((d->'data'->>'costUsd')::numeric) as cost_usd, coalesce(bool_or((d->'data'->>'offline')::boolean), false) as offline
    from jsonb_array_elements(p_task->'traces') d where d->>'type' = 'model-called'
  ),
  started as materialized (
    select c.*, s.*, baton_v1.task_state('none', c.pending::int, c.ready::int, c.dispatched::int, 0, 0, 0, 0, 0, c.planning::int, c.evaluating::int, 0) as state
    from counted c cross join spent s
  ),
  draft as materialized (
    select row_number() over (order by part, k) as no, type, data from (
      select 1 as part, 0::bigint as k, 'task-created' as type, jsonb_strip_nulls(jsonb_build_object(
        'kind', p_task->>'kind', 'goal', left(p_task->>'goal', 500), 'originTaskId', p_task->>'originTaskId')) as data
      union all
      select 2, k, d->>'type', d->'data' from jsonb_array_elements(p_task->'traces') with ordinality as e(d, k)
      union all
      select 3, chunk, 'steps-added', jsonb_build_object('reason', 'created', 'steps', jsonb_agg(baton_v1.step_added(s) order by ord))
      from (select (ord - 1) / 200 as chunk, ord, s from jsonb_array_elements(p_task->'steps') with ordinality as e(s, ord)) c
      group by chunk
      union all
      select 4, 0, 'task-state-changed', jsonb_build_object('from', 'pending', 'to', state) from started where state <> 'pending'
    ) d
  ),
  new_task as (
    insert into baton.task_execution (
      tenant_id, task_id, kind, goal, input, settings, result_expression, estimated_duration_ms, thread_id, origin_task_id, created_by,
      order_at, concurrency, checkpoint_interval, evaluates, offline, created_at, updated_at, state, trace_no, step_seq, user_step_count,
      pending_count, ready_count, dispatched_count, planning_count, evaluating_count, input_tokens, output_tokens, cost_usd)
    select v_tenant, v_task, p_task->>'kind', p_task->>'goal', p_task->'input', p_task->'settings', nullif(p_task->'result', 'null'),
      (p_task->>'estimatedDurationMs')::bigint, p_task->>'threadId', (p_task->>'originTaskId')::uuid, (p_task->>'createdBy')::uuid,
      v_order, v_concurrency, coalesce((p_task->'settings'->>'checkpointInterval')::int, 5),
      p_task->>'kind' = 'goal' and coalesce((p_task->'settings'->>'evaluate')::boolean, true), offline, v_now, v_now,
      state, (select count(*) from draft), total, of_plan, pending, ready, dispatched, planning, evaluating, input_tokens, output_tokens, cost_usd
    from started
  ),
  new_steps as (
    insert into baton.task_execution_step (
      tenant_id, task_id, step_id, key, position, kind, type, description, config, state, join_n, deps_open, reference_keys, rank, pool, order_at,
      timeout_ms, retry, on_exhausted, available_at, created_at, dispatched_at, dispatch_no)
    select v_tenant, v_task, id, key, position, kind, type, description, config, case when readied then 'ready' else 'pending' end, join_n, total,
      coalesce(refs, '{}'), rank, pool, v_order, timeout_ms, retry, on_exhausted, v_now, v_now, case when sent then v_now end, sent::int
    from placed
  ),
  new_edges as (
    insert into baton.task_execution_step_edge (tenant_id, task_id, from_step_id, to_step_id, condition)
    select v_tenant, v_task, d.step, g.id, d.condition
    from placed g cross join lateral jsonb_to_recordset(g.deps) as d(step uuid, condition jsonb)
  ),
  new_traces as (
    insert into baton.task_execution_trace (tenant_id, task_id, no, type, data, created_at)
    select v_tenant, v_task, no, type, data, v_now from draft
  )
  select jsonb_agg(jsonb_build_object('pool', pool, 'n', v_tenant, 't', v_task, 's', id, 'd', 1) order by position) from placed where sent into v_sent;

  if p_task ? 'idempotency' then
    update baton.idempotency_key set task_id = v_task
    where tenant_id = v_tenant and route = p_task->'idempotency'->>'route' and key = p_task->'idempotency'->>'key'
      and task_id is null and holder is not distinct from (p_task->'idempotency'->>'holder')::uuid;
    if not found then
      raise exception 'the idempotency key is held by another request' using errcode = 'BT003';
    end if;
  end if;
  return coalesce(v_sent, '[]');
end $$;
