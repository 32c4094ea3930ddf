-- save_checkpoint: the checkpoint of a checkpoint step, fenced by its attempt; null when the lease is lost.
-- Lock order: the task row. Index: primary keys. Rows: one checkpoint and its trace.
create function baton_v1.save_checkpoint(p_key baton_v1.step_key, p_attempt int)
returns jsonb language plpgsql
as $$
declare
  v_task record;
  v_data jsonb;
begin
  select t.settled_seq, t.completed_count from baton.task_execution t
  where t.tenant_id = p_key.tenant_id and t.task_id = p_key.task_id for no key update into v_task;
  if not exists (select from baton.task_execution_step s where s.tenant_id = p_key.tenant_id and s.task_id = p_key.task_id
                 and s.step_id = p_key.step_id and s.state = 'running' and s.attempt_no = p_attempt) then
    return null;
  end if;
  v_data := jsonb_build_object('checkpointId', baton.uuid7(), 'settledNo', v_task.settled_seq, 'stepCount', v_task.completed_count);
  perform baton_v1.apply('{}', array[row(p_key.tenant_id, p_key.task_id, p_key.step_id, p_attempt, 'checkpoint-saved', v_data)::baton_v1.draft], baton.clock());
  return v_data;
end $$;
