-- start_effect: the intent of an outside call, fenced by the step, before it runs. Core's declared
-- effect decides what an earlier attempt's unknown outcome means.
-- Lock order: the effect row only (the step row is read). Index: primary keys. Rows: one.
create function baton_v1.start_effect(
  p_key baton_v1.step_key, p_attempt int, p_call int, p_tool text, p_effect text, p_arguments jsonb, p_hash text)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_effect record;
  v_idempotency text := p_key.step_id || '-' || p_call;
begin
  if not exists (select from baton.task_execution_step s where s.tenant_id = p_key.tenant_id and s.task_id = p_key.task_id
                 and s.step_id = p_key.step_id and s.state = 'running' and s.attempt_no = p_attempt) then
    return jsonb_build_object('start', 'lease-lost');
  end if;
  insert into baton.effect (tenant_id, task_id, step_id, call_no, attempt_no, tool, effect, arguments, arguments_hash, idempotency_key, state, created_at)
  values (p_key.tenant_id, p_key.task_id, p_key.step_id, p_call, p_attempt, p_tool, p_effect, p_arguments, p_hash, v_idempotency, 'intent', v_now)
  on conflict do nothing;
  if found then
    return jsonb_build_object('start', 'call', 'key', v_idempotency, 'earlierUnknown', false);
  end if;
  select * from baton.effect where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id and call_no = p_call
  for update into v_effect;
  if v_effect.attempt_no > p_attempt then return jsonb_build_object('start', 'lease-lost'); end if;
  if v_effect.arguments_hash <> p_hash or v_effect.tool <> p_tool then return jsonb_build_object('start', 'mismatch'); end if;
  if v_effect.state = 'succeeded' then return jsonb_build_object('start', 'replay', 'result', v_effect.result); end if;
  if v_effect.state in ('intent', 'unknown') and v_effect.attempt_no < p_attempt and v_effect.effect in ('write', 'irreversible') then
    update baton.effect set state = 'unknown'
    where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id and call_no = p_call;
    return jsonb_build_object('start', 'unknown');
  end if;
  update baton.effect set state = 'intent', attempt_no = p_attempt, result = null, finished_at = null
  where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id and call_no = p_call;
  return jsonb_build_object('start', 'call', 'key', v_idempotency, 'earlierUnknown', v_effect.state <> 'refused');
end $$;

-- finish_effect: fenced by the intent only; the first result wins, also from an attempt that lost its
-- lease. Lock order: the effect row only. Index: primary keys. Rows: one.
create function baton_v1.finish_effect(p_key baton_v1.step_key, p_call int, p_state text, p_result jsonb)
returns jsonb language plpgsql
as $$
declare
  v_late boolean;
begin
  update baton.effect e set
    state = p_state, result = case when p_state <> 'unknown' then p_result end, finished_at = baton.clock(),
    late = not exists (select from baton.task_execution_step s where s.tenant_id = e.tenant_id and s.task_id = e.task_id
                       and s.step_id = e.step_id and s.state = 'running' and s.attempt_no = e.attempt_no)
  where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id and call_no = p_call
    and state in ('intent', 'unknown')
  returning late into v_late;
  return jsonb_build_object('late', coalesce(v_late, true));
end $$;
