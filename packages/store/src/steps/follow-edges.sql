-- A step's join rule over its edges: null = all, n = that many satisfied.
create function baton_v1.join_holds(p_join_n int, p_open int, p_satisfied int, p_dead int)
returns boolean language sql immutable parallel safe
as $$ select case when p_join_n is null then p_open = 0 and p_dead = 0 else p_satisfied >= least(p_join_n, p_open + p_satisfied + p_dead) end $$;

-- The rule can no longer hold, whatever the open edges become.
create function baton_v1.join_lost(p_join_n int, p_open int, p_satisfied int, p_dead int)
returns boolean language sql immutable parallel safe
as $$ select case when p_join_n is null then p_dead > 0 else p_open + p_satisfied < least(p_join_n, p_open + p_satisfied + p_dead) end $$;

-- Gives the outgoing edges of settled steps their verdict, readies or skips successors, and goes on
-- from what it skipped. Tasks are locked by the caller.
-- Index: edge primary key, step primary key. Rows: outgoing edges and their targets.
-- p_dead: the edges whose condition was false. Steps that settle in one flush may share a target.
create type baton_v1.edge_key as (tenant_id uuid, task_id uuid, from_step_id uuid, to_step_id uuid);

create function baton_v1.follow_edges(
  p_done baton_v1.step_key[], p_dead baton_v1.edge_key[], p_skipped boolean, p_now timestamptz,
  out moves baton_v1.move[], out drafts baton_v1.draft[], out readied baton_v1.step_key[])
language plpgsql
as $$
declare
  v_done baton_v1.step_key[] := p_done;
  v_dead_all boolean := p_skipped;
  v_changed jsonb;
begin
  moves := '{}'; drafts := '{}'; readied := '{}';
  while cardinality(v_done) > 0 loop
    with judged as (
      update baton.task_execution_step_edge e
      set verdict = case
        when v_dead_all then 'dead'
        when exists (select from unnest(p_dead) x where x.tenant_id = e.tenant_id and x.task_id = e.task_id
                       and x.from_step_id = e.from_step_id and x.to_step_id = e.to_step_id) then 'dead'
        else 'satisfied' end
      from unnest(v_done) d
      where e.tenant_id = d.tenant_id and e.task_id = d.task_id and e.from_step_id = d.step_id and e.verdict = 'open'
      returning e.tenant_id, e.task_id, e.to_step_id, e.verdict
    ),
    counted as (
      select tenant_id, task_id, to_step_id, count(*)::int as total, (count(*) filter (where verdict = 'dead'))::int as dead
      from judged group by 1, 2, 3
    ),
    moved as (
      update baton.task_execution_step s set
        deps_open = s.deps_open - c.total,
        deps_satisfied = s.deps_satisfied + c.total - c.dead,
        deps_dead = s.deps_dead + c.dead,
        state = case
          when s.state <> 'pending' then s.state
          when baton_v1.join_holds(s.join_n, s.deps_open - c.total, s.deps_satisfied + c.total - c.dead, s.deps_dead + c.dead) then 'ready'
          when baton_v1.join_lost(s.join_n, s.deps_open - c.total, s.deps_satisfied + c.total - c.dead, s.deps_dead + c.dead) then 'skipped'
          else 'pending' end,
        available_at = p_now,
        finished_at = case
          when s.state = 'pending'
           and not baton_v1.join_holds(s.join_n, s.deps_open - c.total, s.deps_satisfied + c.total - c.dead, s.deps_dead + c.dead)
           and baton_v1.join_lost(s.join_n, s.deps_open - c.total, s.deps_satisfied + c.total - c.dead, s.deps_dead + c.dead)
          then p_now else s.finished_at end
      from counted c
      where s.tenant_id = c.tenant_id and s.task_id = c.task_id and s.step_id = c.to_step_id and s.state = 'pending'
      returning s.tenant_id, s.task_id, s.step_id, s.kind, s.state, s.on_exhausted
    )
    select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'k', kind, 'st', state, 'p', on_exhausted))
    from moved where state <> 'pending' into v_changed;

    exit when v_changed is null;

    moves := moves || array(
      select row(n, t, b, o, count(*))::baton_v1.move
      from (select n, t, baton_v1.bucket(k, 'pending', false, false, p) as b, baton_v1.bucket(k, st, false, false, p) as o
            from jsonb_to_recordset(v_changed) as c(n uuid, t uuid, s uuid, k text, st text, p text)) c
      group by n, t, b, o);
    drafts := drafts || array(
      select row(n, t, s, null, 'step-skipped', '{}'::jsonb)::baton_v1.draft
      from jsonb_to_recordset(v_changed) as c(n uuid, t uuid, s uuid, st text) where st = 'skipped');
    readied := readied || array(
      select row(n, t, s)::baton_v1.step_key
      from jsonb_to_recordset(v_changed) as c(n uuid, t uuid, s uuid, st text) where st = 'ready');
    v_done := array(
      select row(n, t, s)::baton_v1.step_key
      from jsonb_to_recordset(v_changed) as c(n uuid, t uuid, s uuid, st text) where st = 'skipped');
    v_dead_all := true;
  end loop;
end $$;
