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
    select c.n, c.t, c.s, c.call, c.a, c.tool, c.effect, coalesce(c.arguments, 'null'), c.hash, c.s || '-' || c.call, 'intent', v_now
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
      select c.n, c.t, c.s, c.call, c.a, to_jsonb(c) as call_json
      from jsonb_to_recordset(p_calls) as c(n uuid, t uuid, s uuid, a int, call int, tool text, effect text, arguments jsonb, hash text, known boolean)
      where v_new is null or not c.s || '-' || c.call = any (v_new)
      order by n, t, s, call
    loop
      v_answers := v_answers || jsonb_build_array(
        baton_v1.restart_effect(row(v_call.n, v_call.t, v_call.s)::baton_v1.step_key, v_call.call_json)
        || jsonb_build_object('s', v_call.s, 'call', v_call.call, 'a', v_call.a));
    end loop;
  end if;
  return v_answers;
end $$;

-- What an earlier start of the same call means for this attempt. Only success is replayed; what certainly did nothing
-- may run again, also with other arguments. A call in doubt is made again, under the same key, where the declared effect
-- allows it; where not, the tool has to know what became of it (`known` = it says that nothing did), or a person.
-- Lock order: the effect row only (the step row is read). Index: primary keys. Rows: one.
create function baton_v1.restart_effect(p_key baton_v1.step_key, p_call jsonb)
returns jsonb language plpgsql
as $$
declare
  v_attempt int := (p_call->>'a')::int;
  v_no int := (p_call->>'call')::int;
  v_effect record;
  v_same boolean;
begin
  if not exists (select from baton.task_execution_step s where s.tenant_id = p_key.tenant_id and s.task_id = p_key.task_id
                 and s.step_id = p_key.step_id and s.state = 'running' and s.attempt_no = v_attempt) then
    return jsonb_build_object('start', 'lease-lost');
  end if;
  select * from baton.effect where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id and call_no = v_no
  for update into v_effect;
  if v_effect.attempt_no > v_attempt then return jsonb_build_object('start', 'lease-lost'); end if;
  v_same := v_effect.arguments_hash = p_call->>'hash' and v_effect.tool = p_call->>'tool';
  if v_effect.state = 'succeeded' then
    if not v_same and not v_effect.resolved then return jsonb_build_object('start', 'mismatch'); end if;
    return jsonb_build_object('start', 'replay', 'result', v_effect.result);
  end if;
  if v_effect.state <> 'refused' and not coalesce((p_call->>'known')::boolean, false) then
    if not v_same and v_effect.effect <> 'read' then return jsonb_build_object('start', 'mismatch'); end if;
    if v_effect.attempt_no < v_attempt and v_effect.effect in ('write', 'irreversible') then
      update baton.effect set state = 'unknown'
      where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id and call_no = v_no;
      return jsonb_build_object('start', 'unknown');
    end if;
  end if;
  update baton.effect set
    state = 'intent', attempt_no = v_attempt, tool = p_call->>'tool', effect = p_call->>'effect', arguments = p_call->'arguments',
    arguments_hash = p_call->>'hash', result = null, late = false, resolved = false, finished_at = null
  where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id and call_no = v_no;
  return jsonb_build_object('start', 'call', 'earlierUnknown',
    v_effect.state <> 'refused' and v_effect.attempt_no < v_attempt and not coalesce((p_call->>'known')::boolean, false));
end $$;

-- finish_effects: results of calls that do not travel with a settle: of writing tools, large ones, and what ends late.
-- Lock order: task rows ascending, then step rows, then effect rows. Index: primary keys. Rows: one each.
create function baton_v1.finish_effects(p_results jsonb)
returns jsonb language plpgsql
as $$
begin
  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select r.n, r.t from jsonb_to_recordset(p_results) as r(n uuid, t uuid))
  order by t.tenant_id, t.task_id
  for no key update;
  return baton_v1.write_effect_results(p_results);
end $$;

-- Fenced by the intents only. A success is a fact, whichever attempt tells it and whatever was believed before; a refusal
-- and a doubt count only for the attempt that made the call last. What comes when its attempt is over is traced, and a
-- step that is held for want of it goes on.
-- A result of JSON null is one, and comes out of a record set as SQL's null.
-- What a result brings along (traces, usage) is written with the first one only, so that no call counts twice.
-- Tasks are locked by the caller. Lock order: effect rows ascending, then their step rows. Index: primary keys. Rows: one each.
create function baton_v1.write_effect_results(p_results jsonb)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_finished jsonb;
  v_late jsonb;
  v_accounts jsonb;
begin
  with finished as (
    update baton.effect e set
      state = r.state, result = case when r.state <> 'unknown' then coalesce(r.result, 'null') end, finished_at = v_now, late = r.late
    from (
      select distinct on (n, t, s, call) r.*,
        held.state <> 'running' or held.attempt_no <> r.a as late
      from jsonb_to_recordset(p_results) as r(n uuid, t uuid, s uuid, call int, a int, state text, result jsonb, traces jsonb, usage jsonb)
      -- By primary key alone: with the state in it, a fresh plan would walk over everything that runs (decision 0007).
      cross join lateral (
        select f.state, f.attempt_no from baton.task_execution_step f where f.tenant_id = r.n and f.task_id = r.t and f.step_id = r.s offset 0) held
      order by n, t, s, call, r.state = 'succeeded' desc, a desc offset 0) r
    where e.tenant_id = r.n and e.task_id = r.t and e.step_id = r.s and e.call_no = r.call
      and (r.state = 'succeeded' and e.state <> 'succeeded' or e.state in ('intent', 'unknown') and e.attempt_no = r.a)
    returning e.tenant_id, e.task_id, e.step_id, e.call_no, r.a, e.state, e.late, e.tool, e.effect, e.idempotency_key, r.traces, r.usage
  )
  select jsonb_agg(jsonb_build_object('s', step_id, 'call', call_no, 'a', a, 'late', late)),
    jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'a', a, 'data', jsonb_build_object(
      'callNo', call_no, 'tool', tool, 'effect', effect, 'idempotencyKey', idempotency_key, 'state', state)) order by step_id, call_no)
      filter (where late and state <> 'unknown'),
    jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'a', a, 'traces', traces, 'usage', usage) order by step_id, call_no)
      filter (where traces is not null)
  from finished into v_finished, v_late, v_accounts;

  if v_accounts is not null then
    perform baton_v1.account_calls(v_accounts, v_now);
  end if;

  if v_late is not null then
    perform baton_v1.apply('{}',
      array(select row(n, t, s, a, 'effect-late', data)::baton_v1.draft
            from jsonb_to_recordset(v_late) as l(n uuid, t uuid, s uuid, a int, data jsonb)), v_now);
    perform baton_v1.reopen_answered(
      array(select row(n, t, s)::baton_v1.step_key from jsonb_to_recordset(v_late) as l(n uuid, t uuid, s uuid)));
  end if;
  return coalesce(v_finished, '[]');
end $$;

-- Traces and usage of calls that their attempts outlive: those of an agent. Tasks are locked by the caller.
-- Index: step primary key. Rows: the steps, as apply.
create function baton_v1.account_calls(p_accounts jsonb, p_now timestamptz)
returns void language plpgsql
as $$
begin
  update baton.task_execution_step s set
    model = coalesce(c.model, s.model), offline = s.offline or c.offline,
    input_tokens = s.input_tokens + c.input_tokens, output_tokens = s.output_tokens + c.output_tokens,
    cost_usd = case when c.cost_usd is null then s.cost_usd else coalesce(s.cost_usd, 0) + c.cost_usd end
  from (
    select k.n, k.t, k.s, max(k.usage->'model'->>'provider' || '/' || (k.usage->'model'->>'model')) as model,
      coalesce(bool_or((k.usage->>'offline')::boolean), false) as offline,
      coalesce(sum((k.usage->>'inputTokens')::bigint), 0) as input_tokens, coalesce(sum((k.usage->>'outputTokens')::bigint), 0) as output_tokens,
      sum((k.usage->>'costUsd')::numeric) as cost_usd
    from jsonb_to_recordset(p_accounts) as k(n uuid, t uuid, s uuid, usage jsonb)
    where k.usage is not null
    group by 1, 2, 3 offset 0) c
  where s.tenant_id = c.n and s.task_id = c.t and s.step_id = c.s;

  perform baton_v1.apply('{}', array(
    select row(k.n, k.t, k.s, k.a, e.d->>'type', e.d->'data')::baton_v1.draft
    from rows from (jsonb_to_recordset(p_accounts) as (n uuid, t uuid, s uuid, a int, traces jsonb)) with ordinality as k(n, t, s, a, traces, ord)
    cross join lateral jsonb_array_elements(k.traces) with ordinality as e(d, no)
    order by k.ord, e.no), p_now, (
    select coalesce(jsonb_agg(jsonb_build_object('n', k.n, 't', k.t, 'settled', 0, 'i', coalesce((k.usage->>'inputTokens')::bigint, 0),
      'u', coalesce((k.usage->>'outputTokens')::bigint, 0), 'c', (k.usage->>'costUsd')::numeric,
      'f', coalesce((k.usage->>'offline')::boolean, false), 'revision', 0)), '[]')
    from jsonb_to_recordset(p_accounts) as k(n uuid, t uuid, usage jsonb)
    where k.usage is not null));
end $$;

-- Steps that were held because a call was in doubt, of which none is any more: they go on, and the pump finds them.
-- Tasks are locked by the caller. Index: primary keys. Rows: as retry_steps.
create function baton_v1.reopen_answered(p_keys baton_v1.step_key[])
returns void language plpgsql
as $$
declare
  v_keys baton_v1.step_key[];
begin
  perform baton_v1.reopen_raised(p_keys);
  v_keys := array(
    select k from unnest(p_keys) k
    cross join lateral (
      select * from baton.task_execution_step f
      where f.tenant_id = k.tenant_id and f.task_id = k.task_id and f.step_id = k.step_id offset 0) s
    where s.state = 'failed' and s.held and s.error->>'code' = 'effect-unknown' and not baton_v1.is_in_doubt(k));
  if cardinality(v_keys) > 0 then
    perform baton_v1.retry_steps(v_keys, null, 'the result of its call came late', 0);
  end if;
end $$;

-- Index: effect primary key. Rows: the step's calls.
create function baton_v1.is_in_doubt(p_key baton_v1.step_key)
returns boolean language sql stable
as $$
  select exists (select from baton.effect e where e.tenant_id = p_key.tenant_id and e.task_id = p_key.task_id
                 and e.step_id = p_key.step_id and e.state in ('intent', 'unknown'))
$$;

-- resolve_effect(key, call, attempt, resolution): a person says what became of a call in doubt, and its failed step goes
-- on: what happened is replayed, what did not is called again under the same key. Fenced by the attempt that made the
-- call, so that a word about it says nothing about a later one. p_resolution: {outcome, result, by, reason}.
-- The same word again is unchanged; one about a known outcome, or while an attempt runs, is illegal.
-- Lock order: the task row, step rows, the effect row. Index: primary keys. Rows: one each.
create function baton_v1.resolve_effect(p_key baton_v1.step_key, p_call int, p_attempt int, p_resolution jsonb, p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_state text := case p_resolution->>'outcome' when 'succeeded' then 'succeeded' else 'refused' end;
  v_result jsonb;
  v_step record;
  v_effect record;
  v_answer text;
  v_reply jsonb;
begin
  perform 1 from baton.task_execution where tenant_id = p_key.tenant_id and task_id = p_key.task_id for no key update;
  if not found then return null; end if;
  select state, attempt_no from baton.task_execution_step
  where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id into v_step;
  if not found then return null; end if;
  select * from baton.effect where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id and call_no = p_call
  for update into v_effect;
  if not found then return null; end if;

  v_result := case v_state when 'succeeded' then coalesce(p_resolution->'result', 'null')
    else jsonb_strip_nulls(jsonb_build_object('code', 'not-done', 'message', p_resolution->>'reason')) end;
  v_answer := case
    when v_effect.attempt_no <> p_attempt then 'illegal'
    when v_effect.state in ('intent', 'unknown') then case when v_step.state = 'running' then 'illegal' else 'changed' end
    when v_effect.resolved and v_effect.state = v_state and (v_state = 'refused' or v_effect.result = v_result) then 'unchanged'
    else 'illegal' end;

  if v_answer = 'changed' then
    update baton.effect set state = v_state, result = v_result, resolved = true, finished_at = v_now
    where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id and call_no = p_call;
    perform baton_v1.apply('{}', array[row(p_key.tenant_id, p_key.task_id, p_key.step_id, v_effect.attempt_no, 'effect-resolved',
      jsonb_strip_nulls(jsonb_build_object('callNo', p_call, 'tool', v_effect.tool, 'effect', v_effect.effect,
        'idempotencyKey', v_effect.idempotency_key, 'outcome', p_resolution->'outcome', 'by', p_resolution->'by',
        'reason', p_resolution->'reason')))::baton_v1.draft], v_now);
    if v_step.state = 'failed' and not baton_v1.is_in_doubt(p_key) then
      v_reply := baton_v1.retry_steps(array[p_key], p_resolution->>'by', p_resolution->>'reason', p_room);
    end if;
  end if;
  return (
    select jsonb_build_object('answer', v_answer, 'taskState', t.state, 'stepState', s.state, 'effectState', e.state,
      'attemptNo', e.attempt_no, 'wakeUps', coalesce(v_reply->'wakeUps', '[]'))
    from baton.task_execution t
    join baton.task_execution_step s on s.tenant_id = t.tenant_id and s.task_id = t.task_id and s.step_id = p_key.step_id
    join baton.effect e on e.tenant_id = t.tenant_id and e.task_id = t.task_id and e.step_id = p_key.step_id and e.call_no = p_call
    where t.tenant_id = p_key.tenant_id and t.task_id = p_key.task_id);
end $$;
