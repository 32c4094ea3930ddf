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

-- reap(): ends sessions whose lease ran out and takes back the steps of ended sessions. A closed
-- session's left-overs are released; a dead one's count a crash, and the third is a dead letter.
-- Lock order: session rows, task rows ascending, then step rows. Index: session_live, session_ended,
-- step_running. Rows: up to 500 steps a call.
create function baton_v1.reap()
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_sessions int;
  v_keys baton_v1.step_key[];
  v_taken jsonb;
begin
  with dead as (
    select session_id from baton.worker_session
    where ended_at is null and expires_at < v_now
    order by session_id for update skip locked
  )
  update baton.worker_session w set ended_at = v_now, end_reason = 'expired'
  from dead d where w.session_id = d.session_id;
  get diagnostics v_sessions = row_count;

  select array_agg(row(tenant_id, task_id, step_id)::baton_v1.step_key) from (
    select s.tenant_id, s.task_id, s.step_id
    from baton.worker_session w
    join baton.task_execution_step s on s.session_id = w.session_id and s.state = 'running'
    where w.ended_at is not null
    limit 500) k
  into v_keys;
  if v_keys is null then
    return jsonb_build_object('sessions', v_sessions, 'steps', 0, 'deadLetters', 0);
  end if;

  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select k.tenant_id, k.task_id from unnest(v_keys) k)
  order by t.tenant_id, t.task_id
  for no key update;

  with orphan as materialized (
    select s.tenant_id, s.task_id, s.step_id, w.end_reason = 'expired' as crashed,
      baton_v1.bucket(s.kind, s.state, false, false, s.on_exhausted) as b
    from unnest(v_keys) k
    cross join lateral (select * from baton.task_execution_step f where f.tenant_id = k.tenant_id and f.task_id = k.task_id and f.step_id = k.step_id offset 0) s
    join baton.worker_session w on w.session_id = s.session_id
    where s.state = 'running' and w.ended_at is not null
  ),
  taken as (
    update baton.task_execution_step s set
      state = case when o.crashed and s.crash_count + 1 >= 3 then 'failed' else 'ready' end,
      crash_count = s.crash_count + case when o.crashed then 1 else 0 end,
      available_at = v_now,
      error = case when o.crashed then jsonb_build_object('code', 'worker-crash',
        'message', format('The worker died while performing the step (crash %s of 3).', s.crash_count + 1), 'causes', '[]'::jsonb) else s.error end,
      finished_at = case when o.crashed and s.crash_count + 1 >= 3 then v_now end
    from orphan o
    where s.tenant_id = o.tenant_id and s.task_id = o.task_id and s.step_id = o.step_id
    returning s.tenant_id, s.task_id, s.step_id, s.attempt_no, s.kind, s.state, s.on_exhausted, s.crash_count, s.failure_count, s.session_id, s.error, o.crashed, o.b
  )
  select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'a', attempt_no, 'st', state, 'c', crash_count, 'f', failure_count,
    'se', session_id, 'e', error, 'crashed', crashed, 'b', b, 'o', baton_v1.bucket(kind, state, false, false, on_exhausted)))
  from taken into v_taken;

  perform baton_v1.apply(
    array(select row(n, t, b, o, count(*))::baton_v1.move
          from jsonb_to_recordset(coalesce(v_taken, '[]')) as x(n uuid, t uuid, b text, o text) group by n, t, b, o),
    array(select row(n, t, s, a,
            case when st = 'failed' then 'step-failed' when crashed then 'step-crashed' else 'step-released' end,
            case when st = 'failed' then jsonb_build_object('error', e, 'failureCount', f, 'crashCount', c)
                 when crashed then jsonb_build_object('sessionId', se, 'crashCount', c)
                 else jsonb_build_object('reason', 'session closed') end)::baton_v1.draft
          from jsonb_to_recordset(coalesce(v_taken, '[]')) as x(n uuid, t uuid, s uuid, a int, st text, c int, f int, se uuid, e jsonb, crashed boolean)),
    v_now,
    (select coalesce(jsonb_agg(jsonb_build_object('n', n, 't', t, 'x', e)), '[]')
     from jsonb_to_recordset(coalesce(v_taken, '[]')) as x(n uuid, t uuid, st text, e jsonb) where st = 'failed'));
  return jsonb_build_object('sessions', v_sessions, 'steps', coalesce(jsonb_array_length(v_taken), 0),
    'deadLetters', (select count(*) from jsonb_to_recordset(coalesce(v_taken, '[]')) as x(st text) where st = 'failed'));
end $$;
