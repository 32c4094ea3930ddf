-- start_effects: the intents of outside calls, fenced by their steps, before they run.
-- A call that nobody has started before is one insert; what an earlier attempt left behind is judged by restart_effect.
-- A call that may be repeated loses nothing when its intent is lost with the server: its step is still running, and
-- its next attempt calls again under the same key. So such a transaction does not wait for the disk.
-- Lock order: effect rows ascending (step rows are read). Index: primary keys. Rows: one each.
create function baton_v1.start_effects(p_calls jsonb)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_new text[];
  v_answers jsonb := '[]';
  v_call record;
begin
  if not exists (select from jsonb_to_recordset(p_calls) as c(effect text) where c.effect in ('write', 'irreversible')) then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  with started as (
    insert into baton.effect (tenant_id, task_id, step_id, call_no, attempt_no, tool, effect, arguments, arguments_hash, idempotency_key, state, created_at)
    select c.n, c.t, c.s, c.call, c.a, c.tool, c.effect, c.arguments, c.hash, c.s || '-' || c.call, 'intent', v_now
    from (
      select * from jsonb_to_recordset(p_calls) as c(n uuid, t uuid, s uuid, a int, call int, tool text, effect text, arguments jsonb, hash text)
      order by n, t, s, call) c
    cross join lateral (
      select f.state, f.attempt_no from baton.task_execution_step f where f.tenant_id = c.n and f.task_id = c.t and f.step_id = c.s offset 0) s
    where s.state = 'running' and s.attempt_no = c.a
    on conflict do nothing
    returning idempotency_key
  )
  select array_agg(idempotency_key) from started into v_new;

  if coalesce(cardinality(v_new), 0) < jsonb_array_length(p_calls) then
    for v_call in
      select * from jsonb_to_recordset(p_calls) as c(n uuid, t uuid, s uuid, a int, call int, tool text, effect text, arguments jsonb, hash text)
      where v_new is null or not c.s || '-' || c.call = any (v_new)
      order by n, t, s, call
    loop
      v_answers := v_answers || jsonb_build_array(
        baton_v1.restart_effect(row(v_call.n, v_call.t, v_call.s)::baton_v1.step_key, v_call.a, v_call.call, v_call.tool, v_call.hash)
        || jsonb_build_object('s', v_call.s, 'call', v_call.call, 'a', v_call.a));
    end loop;
  end if;
  return v_answers;
end $$;

-- What an earlier start of the same call means for this attempt: core's declared effect decides about an unknown outcome.
-- Lock order: the effect row only (the step row is read). Index: primary keys. Rows: one.
create function baton_v1.restart_effect(p_key baton_v1.step_key, p_attempt int, p_call int, p_tool text, p_hash text)
returns jsonb language plpgsql
as $$
declare
  v_effect record;
begin
  if not exists (select from baton.task_execution_step s where s.tenant_id = p_key.tenant_id and s.task_id = p_key.task_id
                 and s.step_id = p_key.step_id and s.state = 'running' and s.attempt_no = p_attempt) then
    return jsonb_build_object('start', 'lease-lost');
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
  return jsonb_build_object('start', 'call', 'earlierUnknown', v_effect.attempt_no < p_attempt and v_effect.state <> 'refused');
end $$;

-- finish_effects: fenced by the intents only; the first result wins, also from an attempt that lost its lease.
-- A settle brings the results of its attempts along; what ends late comes by itself.
-- Lock order: effect rows ascending. Index: primary keys. Rows: one each.
create function baton_v1.finish_effects(p_results jsonb)
returns jsonb language plpgsql
as $$
declare
  v_finished jsonb;
begin
  with finished as (
    update baton.effect e set
      state = r.state, result = case when r.state <> 'unknown' then r.result end, finished_at = baton.clock(),
      late = r.step_state <> 'running' or r.attempt_no <> e.attempt_no
    from (
      select r.*, s.state as step_state, s.attempt_no
      from jsonb_to_recordset(p_results) as r(n uuid, t uuid, s uuid, call int, state text, result jsonb)
      cross join lateral (
        select f.state, f.attempt_no from baton.task_execution_step f where f.tenant_id = r.n and f.task_id = r.t and f.step_id = r.s offset 0) s
      order by n, t, r.s, call offset 0) r
    where e.tenant_id = r.n and e.task_id = r.t and e.step_id = r.s and e.call_no = r.call and e.state in ('intent', 'unknown')
    returning e.step_id, e.call_no, e.late
  )
  select jsonb_agg(jsonb_build_object('s', step_id, 'call', call_no, 'late', late)) from finished into v_finished;
  return coalesce(v_finished, '[]');
end $$;
