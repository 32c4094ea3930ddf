-- What the trace of added steps says of one.
create function baton_v1.step_added(p_step jsonb)
returns jsonb language sql stable parallel safe
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'stepId', p_step->>'id', 'key', p_step->>'key', 'kind', p_step->>'kind', 'type', p_step->>'type', 'description', left(p_step->>'description', 200),
    'join', coalesce(nullif(p_step->'join_n', 'null'), '"all"'), 'onExhausted', p_step->>'on_exhausted',
    'dependsOn', coalesce(jsonb_path_query_array(p_step->'deps', '$[*].step'), '[]'),
    'parentStepId', p_step->>'parent', 'itemIndex', p_step->'item_index'))
$$;

-- Creates steps and their edges for one task that the caller has locked.
-- Sources of edges may be new or existing; an existing one's state decides the verdict. A step whose
-- join rule is lost by that is skipped at once; its caller follows the edges out of it.
-- Index: step and edge primary keys. Rows: the new ones; the task row once (positions).
create function baton_v1.add_steps(
  p_tenant uuid, p_task uuid, p_steps jsonb, p_reason text, p_item_concurrency int, p_now timestamptz,
  out moves baton_v1.move[], out drafts baton_v1.draft[])
language plpgsql
as $$
declare
  v_first int;
  v_order timestamptz;
begin
  update baton.task_execution set
    step_seq = step_seq + jsonb_array_length(p_steps),
    user_step_count = user_step_count + (select count(*) from jsonb_array_elements(p_steps) s where s->>'kind' in ('user', 'reply'))
  where tenant_id = p_tenant and task_id = p_task
  returning step_seq - jsonb_array_length(p_steps), order_at into v_first, v_order;

  with given as (
    select s.*, v_first + row_number() over () - 1 as position
    from jsonb_to_recordset(p_steps) as s(
      id uuid, key text, kind text, type text, description text, config jsonb, join_n int, refs text[], rank bigint,
      pool text, timeout_ms bigint, retry jsonb, on_exhausted text, parent uuid, item_index int, item jsonb, deps jsonb)
  ),
  inserted as (
    insert into baton.task_execution_step (
      tenant_id, task_id, step_id, key, position, kind, type, description, config, state, join_n,
      deps_open, deps_satisfied, deps_dead, reference_keys, rank, pool, order_at, timeout_ms, retry, on_exhausted,
      parent_step_id, item_index, item, available_at, created_at, finished_at)
    select p_tenant, p_task, g.id, g.key, g.position, g.kind, g.type, g.description, g.config,
      case
        when g.parent is not null then case when g.item_index < coalesce(p_item_concurrency, 2147483647) then 'ready' else 'pending' end
        when baton_v1.join_holds(g.join_n, (d.total - d.satisfied - d.dead)::int, d.satisfied::int, d.dead::int) then 'ready'
        when baton_v1.join_lost(g.join_n, (d.total - d.satisfied - d.dead)::int, d.satisfied::int, d.dead::int) then 'skipped'
        else 'pending'
      end,
      g.join_n, d.total - d.satisfied - d.dead, d.satisfied, d.dead, coalesce(g.refs, '{}'), g.rank, g.pool, v_order,
      g.timeout_ms, g.retry, g.on_exhausted, g.parent, g.item_index, g.item, p_now, p_now,
      case when g.parent is null
            and baton_v1.join_lost(g.join_n, (d.total - d.satisfied - d.dead)::int, d.satisfied::int, d.dead::int) then p_now end
    from given g
    -- Lateral, not a join of two sets: linear without a hash join.
    cross join lateral (
      select count(*) as total, count(*) filter (where x.state = 'completed') as satisfied,
             count(*) filter (where x.state in ('skipped', 'cancelled')) as dead
      from jsonb_to_recordset(g.deps) as e(step uuid, condition jsonb)
      left join lateral (
        select f.state from baton.task_execution_step f
        where f.tenant_id = p_tenant and f.task_id = p_task and f.step_id = e.step offset 0) x on true
    ) d
    returning kind, state, on_exhausted
  )
  select array_agg(row(p_tenant, p_task, null, b, n)::baton_v1.move)
  from (select baton_v1.bucket(kind, state, false, false, on_exhausted) as b, count(*)::int as n from inserted group by 1) i
  into moves;

  insert into baton.task_execution_step_edge (tenant_id, task_id, from_step_id, to_step_id, condition, verdict)
  select p_tenant, p_task, d.step, g.id, d.condition,
    case when x.position >= v_first then 'open' when x.state = 'completed' then 'satisfied' when x.state in ('skipped', 'cancelled') then 'dead' else 'open' end
  from jsonb_to_recordset(p_steps) as g(id uuid, deps jsonb)
  cross join lateral jsonb_to_recordset(g.deps) as d(step uuid, condition jsonb)
  cross join lateral (
    select f.position, f.state from baton.task_execution_step f
    where f.tenant_id = p_tenant and f.task_id = p_task and f.step_id = d.step offset 0) x;

  select array_agg(row(p_tenant, p_task, null, null, 'steps-added', jsonb_build_object('reason', p_reason, 'steps', steps))::baton_v1.draft order by chunk)
  from (
    select (ord - 1) / 200 as chunk, jsonb_agg(baton_v1.step_added(s) order by ord) as steps
    from jsonb_array_elements(p_steps) with ordinality as e(s, ord)
    group by 1
  ) chunks
  into drafts;
  drafts := drafts || array(
    select row(p_tenant, p_task, s.step_id, null, 'step-skipped', '{}'::jsonb)::baton_v1.draft
    from jsonb_to_recordset(p_steps) as g(id uuid)
    join baton.task_execution_step s on s.tenant_id = p_tenant and s.task_id = p_task and s.step_id = g.id
    where s.state = 'skipped');
end $$;
