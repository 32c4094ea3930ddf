-- What becomes of running steps whose process is gone, or gave them up. A crash is a step's own when it had the
-- process to itself or was found holding it; else all that ran there share it, and from the second one on each runs alone.

-- The error of a step's n-th crash: what is known of each crash, the newest first, then what the step failed of before.
create function baton_v1.crash_error(p_count int, p_own boolean, p_cause jsonb, p_before jsonb)
returns jsonb language sql immutable parallel safe
as $$
  select jsonb_build_object('code', 'worker-crash',
    'message', format(case when p_own then 'The step ended the process that performed it (crash %s).'
                           else 'The worker died while performing the step (crash %s).' end, p_count),
    'causes', (select jsonb_agg(c order by ord) from (
      select c, ord from jsonb_array_elements(jsonb_build_array(p_cause)
        || case when p_before is null then '[]'
                when p_before->>'code' = 'worker-crash' then '[]'
                else jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('code', p_before->>'code', 'name', 'BatonError', 'message', p_before->>'message'))) end
        || coalesce(p_before->'causes', '[]')) with ordinality as e(c, ord)
      order by ord limit 10) chain))
$$;

-- How many crashes a step may have. One of its own ends it from the third on. One that others may have caused proves
-- nothing: a step that runs alone and goes on dying with its workers is ended at some time, lest it takes down them all.
create function baton_v1.crash_limit(p_own boolean)
returns int language sql immutable parallel safe
as $$ select case when p_own then 3 else 10 end $$;

-- running → ready or failed, crash_count + 1. Steps: [{n, t, s, a: attempt, se: session, cause}]; an attempt that is no
-- longer the current one is passed over. The caller has locked the tasks. Index: step primary key. Rows: the steps, a trace each.
create function baton_v1.crash_steps(p_steps jsonb, p_own boolean, p_traces jsonb, p_now timestamptz)
returns jsonb language plpgsql
as $$
declare
  v_taken jsonb;
  v_limit int := baton_v1.crash_limit(p_own);
begin
  with taken as (
    update baton.task_execution_step s set
      state = case when s.crash_count + 1 >= v_limit then 'failed' else 'ready' end,
      crash_count = s.crash_count + 1,
      available_at = p_now,
      error = baton_v1.crash_error(s.crash_count + 1, p_own, x.cause, s.error),
      finished_at = case when s.crash_count + 1 >= v_limit then p_now end
    from jsonb_to_recordset(p_steps) as x(n uuid, t uuid, s uuid, a int, se uuid, cause jsonb)
    where s.tenant_id = x.n and s.task_id = x.t and s.step_id = x.s and s.state = 'running' and s.attempt_no = x.a
    returning s.tenant_id, s.task_id, s.step_id, s.attempt_no, s.kind, s.state, s.on_exhausted, s.crash_count, s.failure_count, s.error, x.se
  )
  select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'a', attempt_no, 'st', state, 'c', crash_count,
    'f', failure_count, 'se', se, 'e', error, 'b', baton_v1.bucket(kind, 'running', false, false, on_exhausted),
    'o', baton_v1.bucket(kind, state, false, false, on_exhausted)))
  from taken into v_taken;
  if v_taken is null then
    return jsonb_build_object('steps', 0, 'deadLetters', 0);
  end if;

  perform baton_v1.apply(
    array(select row(n, t, b, o, count(*))::baton_v1.move
          from jsonb_to_recordset(v_taken) as x(n uuid, t uuid, b text, o text) group by n, t, b, o),
    array(select row(x.n, x.t, x.s, x.a, d.type, d.data)::baton_v1.draft
          from jsonb_to_recordset(v_taken) as x(n uuid, t uuid, s uuid, a int, st text, c int, f int, se uuid, e jsonb)
          cross join lateral (
            select e.k, e.d->>'type' as type, e.d->'data' as data from jsonb_array_elements(p_traces) with ordinality as e(d, k)
            union all
            select 9223372036854775807, case st when 'failed' then 'step-failed' else 'step-crashed' end,
              case st when 'failed' then jsonb_build_object('error', x.e, 'failureCount', f, 'crashCount', c)
                      else jsonb_build_object('sessionId', se, 'crashCount', c, 'error', x.e) end) d
          order by x.s, d.k),
    p_now,
    (select coalesce(jsonb_agg(jsonb_build_object('n', n, 't', t, 'x', e)), '[]')
     from jsonb_to_recordset(v_taken) as x(n uuid, t uuid, st text, e jsonb) where st = 'failed'));
  return jsonb_build_object('steps', jsonb_array_length(v_taken),
    'deadLetters', (select count(*) from jsonb_to_recordset(v_taken) as x(st text) where st = 'failed'));
end $$;

-- running → ready, and nothing is counted. Steps: [{n, t, s, a}], as above.
-- The caller has locked the tasks. Index: step primary key. Rows: the steps, a trace each.
create function baton_v1.release_steps(p_steps jsonb, p_reason text, p_now timestamptz)
returns int language plpgsql
as $$
declare
  v_released jsonb;
begin
  with released as (
    update baton.task_execution_step s set state = 'ready', available_at = p_now
    from jsonb_to_recordset(p_steps) as x(n uuid, t uuid, s uuid, a int)
    where s.tenant_id = x.n and s.task_id = x.t and s.step_id = x.s and s.state = 'running' and s.attempt_no = x.a
    returning s.tenant_id, s.task_id, s.step_id, s.attempt_no, s.kind, s.on_exhausted
  )
  select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'a', attempt_no,
    'b', baton_v1.bucket(kind, 'running', false, false, on_exhausted), 'o', baton_v1.bucket(kind, 'ready', false, false, on_exhausted)))
  from released into v_released;
  if v_released is null then
    return 0;
  end if;

  perform baton_v1.apply(
    array(select row(n, t, b, o, count(*))::baton_v1.move
          from jsonb_to_recordset(v_released) as x(n uuid, t uuid, b text, o text) group by n, t, b, o),
    array(select row(n, t, s, a, 'step-released', jsonb_build_object('reason', p_reason))::baton_v1.draft
          from jsonb_to_recordset(v_released) as x(n uuid, t uuid, s uuid, a int)),
    p_now);
  return jsonb_array_length(v_released);
end $$;

-- crash_attempt(step, attempt, session, cause, traces): the process that an attempt had to itself is gone, and the
-- session that started it lives. Answers whether the attempt was still the current one, and whether it was its last.
-- Lock order: task row, then step row. Index: primary keys. Rows: one each, its traces.
create function baton_v1.crash_attempt(p_tenant uuid, p_task uuid, p_step uuid, p_attempt int, p_session uuid, p_cause jsonb, p_traces jsonb)
returns jsonb language plpgsql
as $$
declare
  v_crashed jsonb;
begin
  perform 1 from baton.task_execution t
  where t.tenant_id = p_tenant and t.task_id = p_task
  for no key update;

  select coalesce(jsonb_agg(jsonb_build_object('n', s.tenant_id, 't', s.task_id, 's', s.step_id, 'a', p_attempt, 'se', p_session, 'cause', p_cause)), '[]')
  from baton.task_execution_step s
  where s.tenant_id = p_tenant and s.task_id = p_task and s.step_id = p_step and s.session_id = p_session
  into v_crashed;
  v_crashed := baton_v1.crash_steps(v_crashed, true, p_traces, baton.clock());
  return jsonb_build_object('isCurrent', (v_crashed->>'steps')::int = 1, 'isDeadLetter', (v_crashed->>'deadLetters')::int = 1);
end $$;

-- end_blocked(session, guilty, where): a process that is about to end itself, because its main thread is blocked,
-- gives up what it has. Guilty is the attempt that holds the main thread, {n, t, s, a}; it alone is charged. When it
-- is not known (null), everybody is: as after a crash.
-- Lock order: session row, task rows ascending, then step rows. Index: session primary key, step_running. Rows: the
-- session's running steps, a trace each.
create function baton_v1.end_blocked(p_session uuid, p_guilty jsonb, p_where text)
returns void language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_steps jsonb;
begin
  update baton.worker_session set ended_at = v_now, end_reason = 'blocked' where session_id = p_session and ended_at is null;
  if not found then
    return;
  end if;

  select jsonb_agg(jsonb_build_object('n', s.tenant_id, 't', s.task_id, 's', s.step_id, 'a', s.attempt_no, 'se', p_session,
    'isCharged', p_guilty is null or (s.step_id = (p_guilty->>'s')::uuid and s.attempt_no = (p_guilty->>'a')::int),
    'cause', jsonb_build_object('name', 'MainThreadBlocked', 'message', format(
      case when p_guilty is null then 'Attempt %s: the main thread of worker %s was blocked past a deadline, by one of its steps; the process was ended. %s'
           else 'Attempt %s: the step held the main thread of worker %s past a deadline; the process was ended. %s' end,
      s.attempt_no, w.worker, p_where))))
  from baton.task_execution_step s
  join baton.worker_session w on w.session_id = s.session_id
  where s.session_id = p_session and s.state = 'running'
  into v_steps;
  if v_steps is null then
    return;
  end if;

  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select x.n, x.t from jsonb_to_recordset(v_steps) as x(n uuid, t uuid))
  order by t.tenant_id, t.task_id
  for no key update;

  perform baton_v1.crash_steps((select coalesce(jsonb_agg(x), '[]') from jsonb_array_elements(v_steps) x where (x->>'isCharged')::boolean),
    p_guilty is not null, '[]', v_now);
  perform baton_v1.release_steps((select coalesce(jsonb_agg(x), '[]') from jsonb_array_elements(v_steps) x where not (x->>'isCharged')::boolean),
    'another step blocked the worker', v_now);
end $$;
