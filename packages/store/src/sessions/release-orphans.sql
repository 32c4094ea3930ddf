-- releaseOrphans(session, performing, age): gives back the running steps of a live session that it does not perform:
-- a claim committed, and its answer was lost for longer than its caller asked for it. Raises no counter.
-- Younger attempts are left alone: their answer may be on its way.
-- Lock order: task rows ascending, then step rows. Index: step_running, primary keys. Rows: the orphans, one trace each.
create function baton_v1.release_orphans(p_session uuid, p_performing jsonb, p_older_ms int)
returns int language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_keys baton_v1.step_key[];
  v_released jsonb;
begin
  select array_agg(row(s.tenant_id, s.task_id, s.step_id)::baton_v1.step_key)
  from baton.task_execution_step s
  where s.session_id = p_session and s.state = 'running'
    and s.started_at < v_now - make_interval(secs => p_older_ms / 1000.0)
    and not exists (select from jsonb_to_recordset(p_performing) as p(n uuid, t uuid, s uuid)
                    where p.n = s.tenant_id and p.t = s.task_id and p.s = s.step_id)
    and exists (select from baton.worker_session w where w.session_id = p_session and w.ended_at is null)
  into v_keys;
  if v_keys is null then
    return 0;
  end if;

  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select k.tenant_id, k.task_id from unnest(v_keys) k)
  order by t.tenant_id, t.task_id
  for no key update;

  -- Between the look and the lock the step may have been settled, or claimed again.
  with released as (
    update baton.task_execution_step s set state = 'ready', available_at = v_now
    from unnest(v_keys) k
    where s.tenant_id = k.tenant_id and s.task_id = k.task_id and s.step_id = k.step_id
      and s.session_id = p_session and s.state = 'running'
      and s.started_at < v_now - make_interval(secs => p_older_ms / 1000.0)
    returning s.tenant_id, s.task_id, s.step_id, s.attempt_no, s.kind, s.on_exhausted
  )
  select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'a', attempt_no,
    'b', baton_v1.bucket(kind, 'running', false, false, on_exhausted), 'o', baton_v1.bucket(kind, 'ready', false, false, on_exhausted)))
  from released into v_released;

  perform baton_v1.apply(
    array(select row(n, t, b, o, count(*))::baton_v1.move
          from jsonb_to_recordset(coalesce(v_released, '[]')) as x(n uuid, t uuid, b text, o text) group by n, t, b, o),
    array(select row(n, t, s, a, 'step-released', jsonb_build_object('reason', 'orphan'))::baton_v1.draft
          from jsonb_to_recordset(coalesce(v_released, '[]')) as x(n uuid, t uuid, s uuid, a int)),
    v_now);
  return coalesce(jsonb_array_length(v_released), 0);
end $$;
