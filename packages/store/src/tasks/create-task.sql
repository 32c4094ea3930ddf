-- create_task: the task, its steps, edges and first traces, durable in one transaction; ready steps
-- are dispatched at once where nothing older waits. Model calls made before the task existed (the decision about
-- its message) count to its account.
-- Lock order: the new task row only. Index: primary keys. Rows: the new ones.
create function baton_v1.create_task(p_task jsonb, p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_tenant uuid := (p_task->>'tenantId')::uuid;
  v_task uuid := (p_task->>'taskId')::uuid;
  v_added record;
  v_next record;
  v_drafts baton_v1.draft[];
begin
  insert into baton.task_execution (
    tenant_id, task_id, kind, goal, input, settings, result_expression, estimated_duration_ms, thread_id, origin_task_id, created_by,
    order_at, concurrency, checkpoint_interval, evaluates, offline, created_at, updated_at)
  values (
    v_tenant, v_task, p_task->>'kind', p_task->>'goal', p_task->'input', p_task->'settings', nullif(p_task->'result', 'null'),
    (p_task->>'estimatedDurationMs')::bigint, p_task->>'threadId', (p_task->>'originTaskId')::uuid, (p_task->>'createdBy')::uuid,
    v_now - make_interval(mins => coalesce((p_task->'settings'->>'priority')::int, 0)),
    (p_task->'settings'->>'concurrency')::int, coalesce((p_task->'settings'->>'checkpointInterval')::int, 5),
    p_task->>'kind' = 'goal' and coalesce((p_task->'settings'->>'evaluate')::boolean, true), false, v_now, v_now);

  v_added := baton_v1.add_steps(v_tenant, v_task, p_task->'steps', 'created', null, v_now);
  v_drafts := array[row(v_tenant, v_task, null, null, 'task-created', jsonb_strip_nulls(jsonb_build_object(
      'kind', p_task->>'kind', 'goal', left(p_task->>'goal', 500), 'originTaskId', p_task->>'originTaskId')))::baton_v1.draft]
    || array(select row(v_tenant, v_task, null, null, d->>'type', d->'data')::baton_v1.draft
             from jsonb_array_elements(p_task->'traces') with ordinality as e(d, k) order by k)
    || v_added.drafts;
  v_next := baton_v1.choose_next('{}',
    array(select row(tenant_id, task_id, step_id)::baton_v1.step_key from baton.task_execution_step
          where tenant_id = v_tenant and task_id = v_task and state = 'ready'), p_room, v_now);
  perform baton_v1.apply(v_added.moves || v_next.moves, v_drafts, v_now,
    (select coalesce(jsonb_agg(jsonb_build_object('n', v_tenant, 't', v_task, 'i', d->'data'->'inputTokens', 'u', d->'data'->'outputTokens',
                                                  'c', d->'data'->'costUsd', 'f', d->'data'->'offline')), '[]')
     from jsonb_array_elements(p_task->'traces') d where d->>'type' = 'model-called'));

  if p_task ? 'idempotency' then
    update baton.idempotency_key set task_id = v_task
    where tenant_id = v_tenant and route = p_task->'idempotency'->>'route' and key = p_task->'idempotency'->>'key';
  end if;
  return v_next.wake_ups;
end $$;
