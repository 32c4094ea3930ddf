-- releaseOrphans(session, performing, age): gives back the running steps of a live session that it does not perform:
-- a claim committed, and its answer was lost for longer than its caller asked for it. Raises no counter.
-- Younger attempts are left alone: their answer may be on its way.
-- Lock order: task rows ascending, then step rows. Index: step_running, primary keys. Rows: the orphans, one trace each.
create function baton_v1.release_orphans(p_session uuid, p_performing jsonb, p_older_ms int)
returns int language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_steps jsonb;
begin
  select jsonb_agg(jsonb_build_object('n', s.tenant_id, 't', s.task_id, 's', s.step_id, 'a', s.attempt_no))
  from baton.task_execution_step s
  where s.session_id = p_session and s.state = 'running'
    and s.started_at < v_now - make_interval(secs => p_older_ms / 1000.0)
    and not exists (select from jsonb_to_recordset(p_performing) as p(n uuid, t uuid, s uuid)
                    where p.n = s.tenant_id and p.t = s.task_id and p.s = s.step_id)
    and exists (select from baton.worker_session w where w.session_id = p_session and w.ended_at is null)
  into v_steps;
  if v_steps is null then
    return 0;
  end if;

  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select x.n, x.t from jsonb_to_recordset(v_steps) as x(n uuid, t uuid))
  order by t.tenant_id, t.task_id
  for no key update;

  -- Between the look and the lock the step may have been settled, or claimed again: its attempt is another then.
  return baton_v1.release_steps(v_steps, 'orphan', v_now);
end $$;
