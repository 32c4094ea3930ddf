-- ready → running for steps whose tasks the caller has locked and checked.
-- Index: step primary key. Rows: the steps.
create function baton_v1.start_attempts(
  p_keys baton_v1.step_key[], p_session uuid, p_flush uuid, p_continued boolean, p_now timestamptz,
  out moves baton_v1.move[], out drafts baton_v1.draft[], out started baton_v1.step_key[])
language plpgsql
as $$
declare
  v_started jsonb;
  v_worker text;
begin
  select worker from baton.worker_session where session_id = p_session into v_worker;
  with before as materialized (
    select s.tenant_id, s.task_id, s.step_id,
           baton_v1.bucket(s.kind, s.state, s.dispatched_at is not null, s.backing_off, s.on_exhausted) as b
    from unnest(p_keys) k
    cross join lateral (select * from baton.task_execution_step f where f.tenant_id = k.tenant_id and f.task_id = k.task_id and f.step_id = k.step_id offset 0) s
    where s.state = 'ready'
  ),
  taken as (
    update baton.task_execution_step s set
      state = 'running', attempt_no = s.attempt_no + 1, session_id = p_session, claim_flush_id = p_flush,
      started_at = p_now, dispatched_at = null, backing_off = false
    from before b
    where s.tenant_id = b.tenant_id and s.task_id = b.task_id and s.step_id = b.step_id and s.state = 'ready'
    returning s.tenant_id, s.task_id, s.step_id, s.attempt_no, s.kind, s.on_exhausted, b.b
  )
  select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'a', attempt_no, 'b', b,
                                      'o', baton_v1.bucket(kind, 'running', false, false, on_exhausted)))
  from taken into v_started;

  moves := array(
    select row(n, t, b, o, count(*))::baton_v1.move
    from jsonb_to_recordset(coalesce(v_started, '[]')) as c(n uuid, t uuid, b text, o text) group by n, t, b, o);
  drafts := array(
    select row(n, t, s, a, 'step-started', jsonb_build_object('sessionId', p_session, 'worker', v_worker, 'continued', p_continued))::baton_v1.draft
    from jsonb_to_recordset(coalesce(v_started, '[]')) as c(n uuid, t uuid, s uuid, a int));
  started := array(
    select row(n, t, s)::baton_v1.step_key
    from jsonb_to_recordset(coalesce(v_started, '[]')) as c(n uuid, t uuid, s uuid));
end $$;

-- Everything an attempt needs, one JSON object a step. Outputs above 4 MB in all are left to be fetched.
-- As json, not jsonb: it is only ever read by the worker, and building jsonb costs twice as much.
-- Index: step primary key, edge_to, step_key.
create function baton_v1.attempt_inputs(p_keys baton_v1.step_key[], p_continued boolean, p_with_tasks boolean)
returns json language plpgsql stable
as $$
begin
  if cardinality(p_keys) = 0 then return '[]'; end if;
  return (select coalesce(json_agg(json_build_object(
    'n', s.tenant_id, 't', s.task_id, 's', s.step_id, 'attemptNo', s.attempt_no, 'failureCount', s.failure_count,
    'crashCount', s.crash_count, 'key', s.key, 'kind', s.kind, 'type', s.type, 'description', s.description,
    'config', s.config, 'retry', s.retry, 'timeoutMs', s.timeout_ms, 'pool', s.pool, 'rank', s.rank,
    'startedAt', extract(epoch from s.started_at) * 1000, 'continued', p_continued, 'joining', s.item_count is not null,
    'item', case when s.parent_step_id is not null then json_build_object('index', s.item_index, 'value', s.item) end,
    'conditions', (select coalesce(json_agg(json_build_object('toStepId', e.to_step_id, 'when', e.condition)), '[]')
                   from baton.task_execution_step_edge e
                   where e.tenant_id = s.tenant_id and e.task_id = s.task_id and e.from_step_id = s.step_id and e.condition is not null),
    'inputs', (select coalesce(json_agg(json_build_object(
                 'key', i.key, 'stepId', i.step_id, 'description', i.description, 'state', i.state, 'blobId', i.blob_id,
                 'sizeBytes', i.output_bytes, 'output', case when i.so_far <= 4194304 then i.output end,
                 'inline', i.so_far <= 4194304) order by i.position), '[]')
               from (
                 select d.key, d.step_id, d.description, d.state, d.blob_id, d.output_bytes, d.output, d.position,
                        sum(d.output_bytes) over (order by d.position) as so_far
                 from (
                   select e.from_step_id as step_id from baton.task_execution_step_edge e
                   where e.tenant_id = s.tenant_id and e.task_id = s.task_id and e.to_step_id = s.step_id
                   union all
                   select r.step_id from unnest(s.reference_keys) as name
                   cross join lateral (
                     select f.step_id from baton.task_execution_step f
                     where f.tenant_id = s.tenant_id and f.task_id = s.task_id and f.key = name offset 0) r
                   where not exists (
                     select from baton.task_execution_step_edge e
                     where e.tenant_id = s.tenant_id and e.task_id = s.task_id and e.from_step_id = r.step_id and e.to_step_id = s.step_id)
                 ) x
                 cross join lateral (
                   select f.key, f.step_id, f.description, f.state, f.blob_id, f.output_bytes, f.output, f.position from baton.task_execution_step f
                   where f.tenant_id = s.tenant_id and f.task_id = s.task_id and f.step_id = x.step_id offset 0) d
               ) i),
    -- For workers of the version before; budgets count without it.
    'tokensUsed', t.input_tokens + t.output_tokens, 'revisionCount', t.revision_count,
    'task', case when p_with_tasks then json_build_object('kind', t.kind, 'goal', t.goal, 'input', t.input, 'settings', t.settings, 'threadId', t.thread_id,
      'rootTaskId', t.root_task_id, 'depth', t.depth,
      'createdAt', extract(epoch from t.created_at) * 1000) end)), '[]')
  from unnest(p_keys) k
  cross join lateral (select * from baton.task_execution_step f where f.tenant_id = k.tenant_id and f.task_id = k.task_id and f.step_id = k.step_id offset 0) s
  cross join lateral (select * from baton.task_execution f where f.tenant_id = k.tenant_id and f.task_id = k.task_id offset 0) t);
end $$;

-- claim(refs): ready → running, attempt_no + 1. A wake-up that may not be taken is simply not returned.
-- Lock order: task rows ascending, then step rows. Index: primary keys.
-- Rows: a task and a step each, one trace each. Repeating a flush id returns the same attempts.
create function baton_v1.claim(p_refs jsonb, p_session uuid, p_flush uuid)
returns json language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_worker text;
  v_keys baton_v1.step_key[];
begin
  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select r.n, r.t from jsonb_to_recordset(p_refs) as r(n uuid, t uuid))
  order by t.tenant_id, t.task_id
  for no key update;

  select w.worker from baton.worker_session w where w.session_id = p_session and w.ended_at is null and w.expires_at > v_now into v_worker;
  if not found then
    return '[]';
  end if;

  with ref as materialized (
    select r.n, r.t, r.s, s.state = 'running' as again, s.kind, s.on_exhausted, t.trace_no,
           baton_v1.bucket(s.kind, s.state, s.dispatched_at is not null, s.backing_off, s.on_exhausted) as bucket
    from (select distinct n, t, s from jsonb_to_recordset(p_refs) as r(n uuid, t uuid, s uuid)) r
    cross join lateral (
      select f.state, f.kind, f.on_exhausted, f.dispatched_at, f.backing_off, f.available_at, f.claim_flush_id, f.session_id
      from baton.task_execution_step f where f.tenant_id = r.n and f.task_id = r.t and f.step_id = r.s offset 0) s
    cross join lateral (
      select f.trace_no, f.intent, f.state from baton.task_execution f where f.tenant_id = r.n and f.task_id = r.t offset 0) t
    where (s.state = 'ready' and s.available_at <= v_now and t.intent = 'none' and t.state not in ('failed', 'completed', 'cancelled'))
       or (s.state = 'running' and s.claim_flush_id = p_flush and s.session_id = p_session)
  ),
  taken as (
    update baton.task_execution_step x set
      state = 'running', attempt_no = x.attempt_no + 1, session_id = p_session, claim_flush_id = p_flush,
      started_at = v_now, dispatched_at = null, backing_off = false
    from ref r
    where x.tenant_id = r.n and x.task_id = r.t and x.step_id = r.s and not r.again
    returning x.tenant_id as n, x.task_id as t, x.step_id as s, x.attempt_no as a, r.trace_no
  ),
  next as materialized (
    select c.*, f.state as old_state,
      baton_v1.task_state(f.intent, f.pending_count, (f.ready_count - c.ready)::int, (f.dispatched_count - c.dispatched)::int, (f.backoff_count - c.backoff)::int,
        (f.running_count + c.claimed)::int, f.waiting_count, f.failed_count, f.held_count, f.planning_count, f.evaluating_count, f.claimed_count + c.claimed) as new_state
    from (
      select n, t, count(*) as started, count(*) filter (where bucket = 'ready') as ready, count(*) filter (where bucket = 'dispatched') as dispatched,
             count(*) filter (where bucket = 'backoff') as backoff, count(*) filter (where bucket in ('ready', 'dispatched', 'backoff')) as claimed
      from ref where not again group by 1, 2) c
    cross join lateral (
      select f.intent, f.state, f.pending_count, f.ready_count, f.dispatched_count, f.backoff_count, f.running_count, f.waiting_count,
             f.failed_count, f.held_count, f.planning_count, f.evaluating_count, f.claimed_count
      from baton.task_execution f where f.tenant_id = c.n and f.task_id = c.t offset 0) f
  ),
  written as (
    insert into baton.task_execution_trace (tenant_id, task_id, no, type, step_id, attempt_no, data, created_at)
    select n, t, max(trace_no) over (partition by n, t) + row_number() over (partition by n, t order by part, s), type, s, a, data, v_now
    from (
      select n, t, s, a, trace_no, 1 as part, 'step-started' as type,
             jsonb_build_object('sessionId', p_session, 'worker', v_worker, 'continued', false) as data
      from taken
      union all
      select n, t, null, null, null, 2, 'task-state-changed', jsonb_build_object('from', old_state, 'to', new_state)
      from next where old_state <> new_state
    ) draft
  ),
  changed as (
    update baton.task_execution x set
      ready_count = x.ready_count - v.ready,
      dispatched_count = x.dispatched_count - v.dispatched,
      backoff_count = x.backoff_count - v.backoff,
      running_count = x.running_count + v.claimed,
      claimed_count = x.claimed_count + v.claimed,
      state = case when v.old_state = v.new_state then x.state else baton_v1.legal_task_move(v.old_state, v.new_state) end,
      trace_no = x.trace_no + v.started + (v.old_state <> v.new_state)::int,
      updated_at = v_now,
      started_at = case when x.started_at is null and v.claimed > 0 then v_now else x.started_at end
    from next v
    where x.tenant_id = v.n and x.task_id = v.t
  )
  select array_agg(row(n, t, s)::baton_v1.step_key) from ref into v_keys;
  return baton_v1.attempt_inputs(coalesce(v_keys, '{}'), false, true);
end $$;
