-- What people want of a task. Each answers null (no such task for this role), or {answer, state}.

-- Every open or resting step ends in the same transaction, so a last attempt in flight can never turn
-- the task to completed: its settle answers lease-lost.
-- Lock order: the task row, its questions, its child rows, then its step rows. Index: primary keys, question_by_step,
-- child_by_step. Rows: the task, its open and resting steps, its open questions, its children.
create function baton_v1.cancel_task(p_tenant uuid, p_task uuid, p_by text, p_reason text)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_state text;
  v_moves baton_v1.move[];
begin
  select state from baton.task_execution where tenant_id = p_tenant and task_id = p_task for no key update into v_state;
  if v_state is null then return null; end if;
  if v_state = 'cancelled' then return jsonb_build_object('answer', 'unchanged', 'state', v_state); end if;
  if v_state = 'completed' then return jsonb_build_object('answer', 'illegal', 'state', v_state); end if;
  update baton.task_execution set intent = 'cancel' where tenant_id = p_tenant and task_id = p_task;
  update baton.question set state = 'withdrawn', closed_at = v_now, closed_by = p_by
  where tenant_id = p_tenant and task_id = p_task and state = 'open';
  perform baton_v1.want_of_children(p_tenant, p_task, 'cancel');
  with before as (
    select step_id, baton_v1.bucket(kind, state, dispatched_at is not null, backing_off, baton_v1.resting_policy(on_exhausted, held)) as b,
           baton_v1.bucket(kind, 'cancelled', false, false, on_exhausted) as o
    from baton.task_execution_step
    where tenant_id = p_tenant and task_id = p_task and state in ('pending', 'ready', 'running', 'waiting', 'failed')
  ),
  ended as (
    update baton.task_execution_step s set state = 'cancelled', dispatched_at = null, backing_off = false, finished_at = v_now
    from before b where s.tenant_id = p_tenant and s.task_id = p_task and s.step_id = b.step_id
    returning b.b, b.o
  )
  select array_agg(row(p_tenant, p_task, b, o, n)::baton_v1.move) from (select b, o, count(*)::int as n from ended group by 1, 2) g into v_moves;
  perform baton_v1.apply(v_moves,
    array[row(p_tenant, p_task, null, null, 'task-cancelled', jsonb_strip_nulls(jsonb_build_object('by', p_by, 'reason', p_reason)))::baton_v1.draft], v_now);
  perform pg_notify('baton_stop', json_build_object('taskId', p_task, 'reason', 'cancel')::text);
  return jsonb_build_object('answer', 'changed', 'state', 'cancelled');
end $$;

-- What was dispatched is recalled; running attempts hear of it and are released.
-- Lock order: the task row, its child rows, then its step rows. Index: primary keys, child_by_step. Rows: the task, its
-- children, its dispatched steps.
create function baton_v1.pause_task(p_tenant uuid, p_task uuid, p_by text, p_reason text)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_task record;
  v_moves baton_v1.move[];
begin
  select state, intent from baton.task_execution where tenant_id = p_tenant and task_id = p_task for no key update into v_task;
  if not found then return null; end if;
  if v_task.intent = 'pause' then return jsonb_build_object('answer', 'unchanged', 'state', v_task.state); end if;
  if v_task.intent <> 'none' or v_task.state in ('failed', 'completed', 'cancelled') then
    return jsonb_build_object('answer', 'illegal', 'state', v_task.state);
  end if;
  update baton.task_execution set intent = 'pause' where tenant_id = p_tenant and task_id = p_task;
  perform baton_v1.want_of_children(p_tenant, p_task, 'pause');
  with recalled as (
    update baton.task_execution_step set dispatched_at = null
    where tenant_id = p_tenant and task_id = p_task and state = 'ready' and dispatched_at is not null
    returning kind, on_exhausted
  )
  select array_agg(row(p_tenant, p_task, b, o, n)::baton_v1.move) from (
    select baton_v1.bucket(kind, 'ready', true, false, on_exhausted) as b, baton_v1.bucket(kind, 'ready', false, false, on_exhausted) as o,
           count(*)::int as n from recalled group by 1, 2) g into v_moves;
  perform baton_v1.apply(coalesce(v_moves, '{}'),
    array[row(p_tenant, p_task, null, null, 'task-paused', jsonb_strip_nulls(jsonb_build_object('by', p_by, 'reason', p_reason)))::baton_v1.draft], v_now);
  perform pg_notify('baton_stop', json_build_object('taskId', p_task, 'reason', 'pause')::text);
  return jsonb_build_object('answer', 'changed', 'state', 'paused');
end $$;

-- Lock order: the task row, its child rows, then its parked step rows. Index: primary keys, child_by_step. Rows: the task,
-- its children, its parked steps.
create function baton_v1.resume_task(p_tenant uuid, p_task uuid, p_by text, p_reason text)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_task record;
begin
  select state, intent from baton.task_execution where tenant_id = p_tenant and task_id = p_task for no key update into v_task;
  if not found then return null; end if;
  if v_task.intent <> 'pause' then
    return jsonb_build_object('answer', case when v_task.state in ('failed', 'completed', 'cancelled') then 'illegal' else 'unchanged' end, 'state', v_task.state);
  end if;
  update baton.task_execution set intent = 'none' where tenant_id = p_tenant and task_id = p_task;
  perform baton_v1.want_of_children(p_tenant, p_task, 'resume');
  perform baton_v1.apply('{}',
    array[row(p_tenant, p_task, null, null, 'task-resumed', jsonb_strip_nulls(jsonb_build_object('by', p_by, 'reason', p_reason)))::baton_v1.draft], v_now);
  return (select jsonb_build_object('answer', 'changed', 'state', state) from baton.task_execution where tenant_id = p_tenant and task_id = p_task);
end $$;

-- Reopens what is out of attempts: the failures and crashes so far no longer count.
-- Lock order: the task row, then its step rows. Index: primary keys. Rows: the task, its failed steps, one trace each.
create function baton_v1.retry_task(p_tenant uuid, p_task uuid, p_by text, p_reason text)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_state text;
  v_reopened jsonb;
begin
  select state from baton.task_execution where tenant_id = p_tenant and task_id = p_task for no key update into v_state;
  if v_state is null then return null; end if;
  with reopened as (
    update baton.task_execution_step s set
      state = 'ready', failure_count = 0, crash_count = 0, held = false, available_at = v_now, finished_at = null
    from (
      select step_id, held from baton.task_execution_step
      where tenant_id = p_tenant and task_id = p_task and state = 'failed') f
    where s.tenant_id = p_tenant and s.task_id = p_task and s.step_id = f.step_id
    returning s.step_id, s.kind, baton_v1.resting_policy(s.on_exhausted, f.held) as on_exhausted
  )
  select jsonb_agg(jsonb_build_object('s', step_id, 'b', baton_v1.bucket(kind, 'failed', false, false, on_exhausted),
                                      'o', baton_v1.bucket(kind, 'ready', false, false, on_exhausted)))
  from reopened into v_reopened;
  if v_reopened is null then
    return jsonb_build_object('answer', 'illegal', 'state', v_state);
  end if;
  perform baton_v1.apply(
    array(select row(p_tenant, p_task, b, o, count(*))::baton_v1.move from jsonb_to_recordset(v_reopened) as r(b text, o text) group by b, o),
    array(select row(p_tenant, p_task, s, null, 'step-reopened', jsonb_strip_nulls(jsonb_build_object('by', p_by, 'reason', p_reason)))::baton_v1.draft
          from jsonb_to_recordset(v_reopened) as r(s uuid)), v_now);
  return (select jsonb_build_object('answer', 'changed', 'state', state) from baton.task_execution where tenant_id = p_tenant and task_id = p_task);
end $$;
