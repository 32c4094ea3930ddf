-- Turns of a thread: what waits for its turn, what is said into a running task, and the answers that tasks leave.

-- start_waiting_tasks(room): tasks whose turn has come go on; one whose pause is over by another's word only stops waiting.
-- Lock order: one task row after the other, ascending. Index: task_waiting_in_thread, task_by_thread. Rows: at most 100 tasks.
create function baton_v1.start_waiting_tasks(p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_task record;
  v_count int := 0;
  v_wake jsonb := '[]';
begin
  for v_task in
    select t.tenant_id, t.task_id from baton.task_execution t
    where t.waits_in_thread and (t.intent <> 'pause' or not exists (
      select from baton.task_execution x
      where x.tenant_id = t.tenant_id and x.thread_id = t.thread_id and x.task_id < t.task_id
        and x.state not in ('completed', 'cancelled', 'failed')))
    order by t.tenant_id, t.task_id limit 100
  loop
    perform 1 from baton.task_execution where tenant_id = v_task.tenant_id and task_id = v_task.task_id for no key update;
    update baton.task_execution set waits_in_thread = false
    where tenant_id = v_task.tenant_id and task_id = v_task.task_id and waits_in_thread;
    if not found then continue; end if;
    if (baton_v1.resume_task(v_task.tenant_id, v_task.task_id, 'chat', 'its turn has come'))->>'answer' = 'changed' then
      v_count := v_count + 1;
      v_wake := v_wake || baton_v1.dispatch_readied(array(
        select row(s.tenant_id, s.task_id, s.step_id)::baton_v1.step_key from baton.task_execution_step s
        where s.tenant_id = v_task.tenant_id and s.task_id = v_task.task_id and s.state = 'ready'), p_room - jsonb_array_length(v_wake), v_now);
    end if;
  end loop;
  return jsonb_build_object('tasks', v_count, 'wakeUps', v_wake);
end $$;

-- amend_goal(task, text): what is said into a running task becomes part of its goal, and whoever judges the progress revises
-- the plan by it. Null: no such task; `late` where nobody will judge any more, so that the words would be lost.
-- Lock order: the task row. Index: primary keys. Rows: the task, one trace.
create function baton_v1.amend_goal(p_tenant uuid, p_task uuid, p_text text, p_by text)
returns text language plpgsql
as $$
declare
  v_task baton.task_execution;
begin
  select * from baton.task_execution where tenant_id = p_tenant and task_id = p_task for no key update into v_task;
  if not found then return null; end if;
  if not v_task.evaluates or v_task.intent not in ('none', 'pause') or v_task.state in ('completed', 'cancelled', 'failed')
     or v_task.revision_count >= coalesce((v_task.settings->>'maxPlanRevisions')::int, 5)
     or exists (select from baton.task_execution_step s
                where s.tenant_id = p_tenant and s.task_id = p_task and s.kind = 'evaluate' and s.state not in ('completed', 'skipped', 'cancelled')) then
    return 'late';
  end if;
  update baton.task_execution set goal = goal || E'\n\nAdded later in the conversation:\n' || p_text, updated_at = baton.clock()
  where tenant_id = p_tenant and task_id = p_task;
  perform baton_v1.apply('{}', array[row(p_tenant, p_task, null, null, 'goal-amended',
    jsonb_strip_nulls(jsonb_build_object('message', left(p_text, 500), 'by', p_by)))::baton_v1.draft], baton.clock());
  return 'amended';
end $$;
