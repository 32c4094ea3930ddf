-- Children: tasks that steps start and wait for. They begin with the settle that lets their step wait, a trigger notes
-- that one has ended, and the last one that its parent is told of wakes the step.

-- The children of outcomes. Their parents are locked by the caller. Rows: the new tasks, as create_tasks, and one more each.
create function baton_v1.write_children(p_ok baton_v1.settling[], p_room int, p_now timestamptz)
returns jsonb language plpgsql
as $$
declare
  v_wake jsonb;
begin
  v_wake := baton_v1.create_tasks((
    select jsonb_agg(c.task || jsonb_build_object(
      'tenantId', o.tenant_id, 'taskId', c."childTaskId", 'createdBy', t.created_by, 'traces', '[]'::jsonb,
      'parentTaskId', o.task_id, 'rootTaskId', coalesce(t.root_task_id, o.task_id), 'depth', t.depth + 1))
    from unnest(p_ok) o
    cross join lateral (
      select created_by, root_task_id, depth from baton.task_execution f where f.tenant_id = o.tenant_id and f.task_id = o.task_id offset 0) t
    cross join lateral jsonb_to_recordset(o.children) as c("childTaskId" uuid, task jsonb)
    where o.outcome = 'asked'), p_room);
  insert into baton.child_task (tenant_id, child_task_id, parent_task_id, step_id, call_no, attempt_no, agent, created_at)
  select o.tenant_id, c."childTaskId", o.task_id, o.step_id, c."callNo", o.attempt_no, c.agent, p_now
  from unnest(p_ok) o
  cross join lateral jsonb_to_recordset(o.children) as c("childTaskId" uuid, "callNo" int, agent text)
  where o.outcome = 'asked';
  return v_wake;
end $$;

-- tell_parents(): parents hear of children that have ended; steps that wait for nothing else go on.
-- Lock order: parents' task rows ascending, child rows, then step rows. Index: child_to_tell, primary keys. Rows: 200 a call.
create function baton_v1.tell_parents(p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_due jsonb;
  v_told jsonb;
begin
  select jsonb_agg(d) from (
    select tenant_id as n, parent_task_id as t, child_task_id as c from baton.child_task
    where state <> 'open' and told_at is null order by ended_at limit 200) d
  into v_due;
  if v_due is null then return jsonb_build_object('told', 0, 'wakeUps', '[]'::jsonb); end if;
  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select d.n, d.t from jsonb_to_recordset(v_due) as d(n uuid, t uuid))
  order by t.tenant_id, t.task_id
  for no key update;
  with told as (
    update baton.child_task c set told_at = v_now
    from jsonb_to_recordset(v_due) as d(n uuid, c uuid)
    where c.tenant_id = d.n and c.child_task_id = d.c and c.state <> 'open' and c.told_at is null
    returning c.tenant_id, c.parent_task_id, c.step_id, c.attempt_no, c.child_task_id, c.call_no, c.agent, c.state
  )
  select jsonb_agg(jsonb_build_object('n', o.tenant_id, 't', o.parent_task_id, 's', o.step_id, 'a', o.attempt_no,
    'data', jsonb_build_object('childTaskId', o.child_task_id, 'callNo', o.call_no, 'agent', o.agent, 'state', o.state)))
  from told o
  cross join lateral (
    select f.state from baton.task_execution f where f.tenant_id = o.tenant_id and f.task_id = o.parent_task_id offset 0) t
  -- The traces of a parent that has ended end with its end.
  where t.state not in ('completed', 'cancelled')
  into v_told;
  return jsonb_build_object('told', jsonb_array_length(v_due), 'wakeUps', baton_v1.wake_answered(
    array(select distinct row(n, t, s)::baton_v1.step_key from jsonb_to_recordset(coalesce(v_told, '[]')) as c(n uuid, t uuid, s uuid)),
    array(select row(n, t, s, a, 'child-ended', data)::baton_v1.draft
          from jsonb_to_recordset(coalesce(v_told, '[]')) as c(n uuid, t uuid, s uuid, a int, data jsonb)), p_room, v_now));
end $$;

-- The children of a task shall follow it. The task is locked by the caller. Index: child_by_step. Rows: its children.
create function baton_v1.want_of_children(p_tenant uuid, p_task uuid, p_wanted text)
returns void language sql
as $$
  update baton.child_task set wanted = p_wanted
  where tenant_id = p_tenant and parent_task_id = p_task and (state = 'open' or (state = 'failed' and p_wanted = 'cancel'))
$$;

-- What the tree may spend was changed. The task is locked by the caller. Index: child_by_step. Rows: its children.
create function baton_v1.tell_children_of_budget(p_tenant uuid, p_task uuid)
returns void language sql
as $$
  update baton.child_task set budget_changed = true where tenant_id = p_tenant and parent_task_id = p_task and state = 'open'
$$;

-- follow_parent(child): what its parent's people want becomes of the child, and is wanted of its own children.
-- Lock order: the child's task row, its child row, then as cancel_task, pause_task and resume_task. Index: primary keys.
-- Rows: as theirs.
create function baton_v1.follow_parent(p_tenant uuid, p_child uuid)
returns boolean language plpgsql
as $$
declare
  v_wanted text;
  v_budget boolean;
begin
  perform 1 from baton.task_execution where tenant_id = p_tenant and task_id = p_child for no key update;
  select wanted, budget_changed from baton.child_task where tenant_id = p_tenant and child_task_id = p_child
  for update into v_wanted, v_budget;
  if v_wanted is null and v_budget is not true then return false; end if;
  update baton.child_task set wanted = null, budget_changed = false where tenant_id = p_tenant and child_task_id = p_child;
  if v_budget then
    perform baton_v1.tell_children_of_budget(p_tenant, p_child);
    perform baton_v1.retry_steps(baton_v1.held_by_budget(p_tenant, p_child), null, 'the budget of its tree was changed', 0);
  end if;
  perform case v_wanted
    when 'cancel' then baton_v1.cancel_task(p_tenant, p_child, null, 'The task that started it was cancelled.')
    when 'pause' then baton_v1.pause_task(p_tenant, p_child, null, 'The task that started it was paused.')
    when 'resume' then baton_v1.resume_task(p_tenant, p_child, null, 'The task that started it was resumed.')
  end;
  return true;
end $$;
