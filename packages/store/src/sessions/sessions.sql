-- beat(session): renews the lease; answers false when the session was ended, and what must stop, for
-- workers that missed the notification.
-- Lock order: the session row only. Index: session primary key, step_running. Rows: one.
create function baton_v1.beat(p_session uuid, p_lease_ms int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_alive boolean;
begin
  update baton.worker_session set beat_at = v_now, expires_at = v_now + make_interval(secs => p_lease_ms / 1000.0)
  where session_id = p_session and ended_at is null and expires_at > v_now
  returning true into v_alive;
  return jsonb_build_object('alive', coalesce(v_alive, false), 'stop', (
    select coalesce(jsonb_agg(distinct jsonb_build_object('taskId', s.task_id,
      'reason', case when t.intent = 'pause' then 'pause' else 'failed' end)), '[]')
    from baton.task_execution_step s
    join baton.task_execution t on t.tenant_id = s.tenant_id and t.task_id = s.task_id
    where s.session_id = p_session and s.state = 'running' and (t.intent <> 'none' or t.state = 'failed')));
end $$;

-- reap(): ends sessions whose lease ran out and takes back the steps of ended sessions. A dead session's steps count a
-- crash, and those of one that was ended in order are released.
-- Lock order: session rows, task rows ascending, then step rows. Index: session_live, session_ended,
-- step_running. Rows: up to 500 steps a call.
create function baton_v1.reap()
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_sessions int;
  v_steps jsonb;
  v_crashed jsonb;
  v_released int;
begin
  with dead as (
    select session_id from baton.worker_session
    where ended_at is null and expires_at < v_now
    order by session_id for update skip locked
  )
  update baton.worker_session w set ended_at = v_now, end_reason = 'expired'
  from dead d where w.session_id = d.session_id;
  get diagnostics v_sessions = row_count;

  select jsonb_agg(x) from (
    select s.tenant_id as n, s.task_id as t, s.step_id as s, s.attempt_no as a, s.session_id as se, w.end_reason = 'expired' as crashed,
      jsonb_build_object('name', 'WorkerDied', 'message',
        format('Attempt %s: worker %s stopped renewing its lease.', s.attempt_no, w.worker)) as cause
    from baton.worker_session w
    join baton.task_execution_step s on s.session_id = w.session_id and s.state = 'running'
    where w.ended_at is not null
    limit 500) x
  into v_steps;
  if v_steps is null then
    return jsonb_build_object('sessions', v_sessions, 'steps', 0, 'deadLetters', 0);
  end if;

  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select x.n, x.t from jsonb_to_recordset(v_steps) as x(n uuid, t uuid))
  order by t.tenant_id, t.task_id
  for no key update;

  v_crashed := baton_v1.crash_steps((select coalesce(jsonb_agg(x), '[]') from jsonb_array_elements(v_steps) x where (x->>'crashed')::boolean), false, '[]', v_now);
  v_released := baton_v1.release_steps((select coalesce(jsonb_agg(x), '[]') from jsonb_array_elements(v_steps) x where not (x->>'crashed')::boolean), 'session closed', v_now);
  return jsonb_build_object('sessions', v_sessions, 'steps', (v_crashed->>'steps')::int + v_released, 'deadLetters', v_crashed->'deadLetters');
end $$;
