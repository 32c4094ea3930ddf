-- One outcome of one attempt, with what the locked step row says about it.
create type baton_v1.settling as (
  tenant_id uuid, task_id uuid, step_id uuid, attempt_no int, outcome text,
  output jsonb, blob_id uuid, output_bytes int, preview text, dead_edges uuid[], error jsonb, delay_ms bigint, reason text,
  adds jsonb, questions jsonb, children jsonb, concurrency int, result jsonb, estimated_ms bigint, usage jsonb, traces jsonb, may_continue boolean,
  status text, kind text, pool text, parent_step_id uuid, bucket text, on_exhausted text, failure_count int, crash_count int);

-- settle(outcomes): outcomes, traces, edges, readied successors, counters, state, continuations.
-- Lock order: task rows ascending, then step rows. Index: primary keys, step_to_dispatch.
-- Rows: a task, a step, its edges and their targets an outcome; its traces.
-- Repeating a flush id answers already-settled with the same continuations.
-- p_effects: results of calls that ended with these attempts, as write_effect_results reads them, or null.
-- p_room: wake-ups the queue may still take; 0 leaves successors to the pump.
-- p_with_tasks: whether the caller needs the tasks of continued steps described again.
create function baton_v1.settle(p_outcomes jsonb, p_effects jsonb, p_session uuid, p_flush uuid, p_room int, p_with_tasks boolean)
returns json language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v baton_v1.settling[];
  v_ok baton_v1.settling[];
  v_moves baton_v1.move[] := '{}';
  v_drafts baton_v1.draft[] := '{}';
  v_readied baton_v1.step_key[] := '{}';
  v_continued baton_v1.step_key[] := '{}';
  v_wake jsonb := '[]';
  v_step record;
  v_simple record;
  v_rest jsonb := p_outcomes;
  v_answers jsonb;
begin
  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select o.n, o.t from jsonb_to_recordset(p_outcomes) as o(n uuid, t uuid))
  order by t.tenant_id, t.task_id
  for no key update;

  -- What calls did is kept whatever becomes of their attempts.
  if p_effects is not null then
    perform baton_v1.write_effect_results(p_effects);
  end if;

  if jsonb_path_exists(p_outcomes, '$[*] ? (@.outcome == "completed")') then
    v_simple := baton_v1.settle_completions(p_outcomes, p_session, p_flush, p_room, v_now);
    v_answers := v_simple.answers;
    if v_simple.settled = jsonb_array_length(p_outcomes) then
      return json_build_object('answers', v_answers, 'continued', baton_v1.attempt_inputs(v_simple.continued, true, p_with_tasks), 'wakeUps', v_simple.wake_ups);
    end if;
    v_continued := v_simple.continued;
    v_wake := v_simple.wake_ups;
    if v_simple.settled > 0 then
      v_rest := (
        select coalesce(jsonb_agg(o), '[]') from jsonb_array_elements(p_outcomes) o
        where not exists (select from jsonb_array_elements(v_answers) d where d->'s' = o->'s' and d->'a' = o->'a'));
    end if;
  end if;

  select array_agg(row(
    o.n, o.t, o.s, o.a, o.outcome, o.output, o.blob, coalesce(o.bytes, 0), o.preview, coalesce(o.dead, '{}'), o.error, o.delay, o.reason,
    o.adds, o.questions, o.children, o.concurrency, o.result, o.estimated, o.usage, o.traces, o.cont,
    case when s.state = 'running' and s.attempt_no = o.a then 'settled'
         when s.settle_flush_id = p_flush then 'already-settled'
         else 'lease-lost' end,
    s.kind, s.pool, s.parent_step_id, baton_v1.bucket(s.kind, s.state, s.dispatched_at is not null, s.backing_off, s.on_exhausted),
    s.on_exhausted, s.failure_count, s.crash_count)::baton_v1.settling order by o.n, o.t, s.position)
  from (
    -- An attempt that is told twice in one call counts once: the first wins.
    select distinct on (s, a) * from rows from (jsonb_to_recordset(v_rest) as (
      n uuid, t uuid, s uuid, a int, outcome text, output jsonb, blob uuid, bytes int, preview text, dead uuid[], error jsonb,
      delay bigint, reason text, adds jsonb, questions jsonb, children jsonb, concurrency int, result jsonb, estimated bigint, usage jsonb, traces jsonb, cont boolean))
      with ordinality as told(n, t, s, a, outcome, output, blob, bytes, preview, dead, error, delay, reason, adds, questions, children, concurrency, result, estimated, usage, traces, cont, ord)
    order by s, a, ord) o
  left join lateral (
    select * from baton.task_execution_step f where f.tenant_id = o.n and f.task_id = o.t and f.step_id = o.s offset 0) s on true
  into v;

  v_ok := array(select u from unnest(v) u where u.status = 'settled');

  if cardinality(v_ok) > 0 then
    perform baton_v1.write_outcomes(v_ok, p_flush, v_now);
    if exists (select from unnest(v_ok) o where o.outcome = 'asked') then
      perform baton_v1.write_questions(v_ok, v_now);
    end if;
    if exists (select from unnest(v_ok) o where jsonb_array_length(o.children) > 0) then
      v_wake := v_wake || baton_v1.write_children(v_ok, p_room, v_now);
    end if;

    v_moves := array(
      select row(o.tenant_id, o.task_id, o.bucket, baton_v1.bucket(o.kind,
          case o.outcome when 'completed' then 'completed' when 'exhausted' then 'failed' when 'held' then 'failed'
                         when 'expanded' then 'waiting' when 'asked' then 'waiting' when 'deferred' then 'pending' else 'ready' end,
          false, o.outcome = 'retry-later' or o.delay_ms is not null, case when o.outcome = 'held' then 'hold' else o.on_exhausted end), 1)::baton_v1.move
      from unnest(v_ok) o);
    v_drafts := baton_v1.outcome_drafts(v_ok, v_now);

    -- What plans, maps, deferrals and evaluations add comes before edges are followed: a plan's first
    -- steps depend on nothing.
    for v_step in select * from unnest(v_ok) o where jsonb_array_length(o.adds) > 0 loop
      declare
        v_added record;
        v_lost record;
      begin
        v_added := baton_v1.add_steps(v_step.tenant_id, v_step.task_id, v_step.adds,
          case v_step.outcome when 'expanded' then 'expanded' when 'deferred' then 'deferred'
               else case v_step.kind when 'evaluate' then 'revised' else 'planned' end end,
          v_step.concurrency, v_now);
        v_moves := v_moves || v_added.moves;
        v_drafts := v_drafts || v_added.drafts;
        v_readied := v_readied || array(
          select row(v_step.tenant_id, v_step.task_id, g.id)::baton_v1.step_key
          from jsonb_to_recordset(v_step.adds) as g(id uuid)
          cross join lateral (
            select s.state from baton.task_execution_step s
            where s.tenant_id = v_step.tenant_id and s.task_id = v_step.task_id and s.step_id = g.id offset 0) s
          where s.state = 'ready');
        if v_step.outcome = 'deferred' then
          perform baton_v1.wait_for_added(row(v_step.tenant_id, v_step.task_id, v_step.step_id)::baton_v1.step_key, v_step.adds);
        end if;
        v_lost := baton_v1.follow_edges(array(
          select row(s.tenant_id, s.task_id, s.step_id)::baton_v1.step_key
          from baton.task_execution_step s
          join jsonb_to_recordset(v_step.adds) as g(id uuid) on g.id = s.step_id
          where s.tenant_id = v_step.tenant_id and s.task_id = v_step.task_id and s.state = 'skipped'), '{}', true, v_now);
        v_moves := v_moves || v_lost.moves;
        v_drafts := v_drafts || v_lost.drafts;
      end;
    end loop;

    declare
      v_follow record;
      v_items record;
    begin
      v_follow := baton_v1.follow_edges(
        array(select row(o.tenant_id, o.task_id, o.step_id)::baton_v1.step_key from unnest(v_ok) o where o.outcome = 'completed'),
        array(select row(o.tenant_id, o.task_id, o.step_id, d)::baton_v1.edge_key from unnest(v_ok) o cross join unnest(o.dead_edges) d where o.outcome = 'completed'),
        false, v_now);
      v_moves := v_moves || v_follow.moves;
      v_drafts := v_drafts || v_follow.drafts;
      v_readied := v_readied || v_follow.readied;
      if exists (select from unnest(v_ok) o where o.parent_step_id is not null and o.outcome = 'completed') then
        v_items := baton_v1.advance_maps(array(select row(o.tenant_id, o.task_id, o.parent_step_id)::baton_v1.step_key
          from unnest(v_ok) o where o.parent_step_id is not null and o.outcome = 'completed'), v_now);
        v_moves := v_moves || v_items.moves;
        v_readied := v_readied || v_items.readied;
      end if;
      v_follow := baton_v1.add_evaluations(array(
        select distinct row(o.tenant_id, o.task_id, null)::baton_v1.step_key from unnest(v_ok) o where o.outcome = 'completed' and o.kind <> 'evaluate'), v_now);
      v_moves := v_moves || v_follow.moves;
      v_drafts := v_drafts || v_follow.drafts;
      v_readied := v_readied || v_follow.readied;
    end;

    v_drafts := v_drafts || baton_v1.checkpoint_drafts(v_ok);
    if exists (select from unnest(v_ok) o where o.kind = 'reply') then
      perform baton_v1.append_replies(v_ok, v_now);
    end if;

    -- Successors go on at once only where nothing older or more urgent waits for the pump.
    if cardinality(v_readied) > 0 then
      declare
        v_next record;
        v_start record;
      begin
        v_next := baton_v1.choose_next(v_ok, v_readied, p_room, v_now);
        v_start := baton_v1.start_attempts(v_next.continued, p_session, p_flush, true, v_now);
        v_continued := v_continued || v_start.started;
        v_moves := v_moves || v_start.moves || v_next.moves;
        v_drafts := v_drafts || v_start.drafts;
        v_wake := v_wake || v_next.wake_ups;
      end;
    end if;

    perform baton_v1.apply(v_moves, v_drafts, v_now, (
      select coalesce(jsonb_agg(jsonb_build_object(
        'n', o.tenant_id, 't', o.task_id, 'settled', case when o.outcome = 'completed' then 1 else 0 end,
        'i', coalesce((o.usage->>'inputTokens')::bigint, 0), 'u', coalesce((o.usage->>'outputTokens')::bigint, 0),
        'c', (o.usage->>'costUsd')::numeric, 'f', coalesce((o.usage->>'offline')::boolean, false),
        'revision', case when o.kind = 'evaluate' and jsonb_array_length(o.adds) > 0 then 1 else 0 end,
        'r', o.result, 'e', o.estimated_ms, 'x', o.error)), '[]')
      from unnest(v_ok) o));

    -- A result may have come between the moment when the attempt missed it and now.
    if exists (select from unnest(v_ok) o where o.outcome = 'held') then
      perform baton_v1.reopen_answered(array(
        select row(o.tenant_id, o.task_id, o.step_id)::baton_v1.step_key from unnest(v_ok) o where o.outcome = 'held'));
    end if;
  end if;

  if exists (select from unnest(v) u where u.status = 'already-settled') then
    v_continued := v_continued || array(
      select row(s.tenant_id, s.task_id, s.step_id)::baton_v1.step_key
      from (select distinct u.tenant_id, u.task_id from unnest(v) u where u.status = 'already-settled') k
      join baton.task_execution_step s using (tenant_id, task_id)
      where s.claim_flush_id = p_flush and s.state = 'running' and s.session_id = p_session);
  end if;

  return json_build_object(
    'answers', coalesce(v_answers, '[]') || (select coalesce(jsonb_agg(jsonb_build_object('s', u.step_id, 'a', u.attempt_no, 'status', u.status)), '[]') from unnest(v) u),
    'continued', baton_v1.attempt_inputs(v_continued, true, p_with_tasks),
    'wakeUps', v_wake);
end $$;

-- The step rows of an outcome. Rows: one each.
create function baton_v1.write_outcomes(p_ok baton_v1.settling[], p_flush uuid, p_now timestamptz)
returns void language sql
as $$
  update baton.task_execution_step s set
    state = case o.outcome when 'completed' then 'completed' when 'exhausted' then 'failed' when 'held' then 'failed'
                           when 'expanded' then 'waiting' when 'asked' then 'waiting' when 'deferred' then 'pending' else 'ready' end,
    held = o.outcome = 'held',
    output = o.output, blob_id = o.blob_id, output_bytes = o.output_bytes,
    error = case when o.outcome = 'completed' then null else coalesce(o.error, s.error) end,
    failure_count = s.failure_count + case when o.outcome in ('retry-later', 'exhausted', 'held') then 1 else 0 end,
    available_at = p_now + make_interval(secs => coalesce(o.delay_ms, 0) / 1000.0),
    backing_off = o.outcome = 'retry-later' or o.delay_ms is not null,
    item_count = case when o.outcome = 'expanded' then jsonb_array_length(o.adds) else s.item_count end,
    item_open = case when o.outcome = 'expanded' then jsonb_array_length(o.adds) else s.item_open end,
    item_next = case when o.outcome = 'expanded' then least(o.concurrency, jsonb_array_length(o.adds)) else s.item_next end,
    settled_no = case when o.outcome = 'completed' then o.settled_seq + o.k else s.settled_no end,
    model = coalesce(o.usage->'model'->>'provider' || '/' || (o.usage->'model'->>'model'), s.model),
    offline = s.offline or coalesce((o.usage->>'offline')::boolean, false),
    input_tokens = s.input_tokens + coalesce((o.usage->>'inputTokens')::bigint, 0),
    output_tokens = s.output_tokens + coalesce((o.usage->>'outputTokens')::bigint, 0),
    cost_usd = case when o.usage->>'costUsd' is null then s.cost_usd else coalesce(s.cost_usd, 0) + (o.usage->>'costUsd')::numeric end,
    settle_flush_id = p_flush,
    finished_at = case when o.outcome in ('completed', 'exhausted', 'held') then p_now end
  from (
    select u.*, t.settled_seq, count(*) filter (where u.outcome = 'completed') over (partition by u.tenant_id, u.task_id order by u.ord)::int as k
    from unnest(p_ok) with ordinality as u(
      tenant_id, task_id, step_id, attempt_no, outcome, output, blob_id, output_bytes, preview, dead_edges, error, delay_ms, reason,
      adds, questions, children, concurrency, result, estimated_ms, usage, traces, may_continue, status, kind, pool, parent_step_id, bucket, on_exhausted,
      failure_count, crash_count, ord)
    cross join lateral (select f.settled_seq from baton.task_execution f where f.tenant_id = u.tenant_id and f.task_id = u.task_id offset 0) t
    offset 0
  ) o
  where s.tenant_id = o.tenant_id and s.task_id = o.task_id and s.step_id = o.step_id
$$;

-- Questions as the trace tells them: without arguments, which may be large.
create function baton_v1.questions_asked(p_questions jsonb, p_now timestamptz)
returns jsonb language sql immutable parallel safe
as $$
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
    'questionId', q."questionId", 'callNo', q."callNo", 'kind', q.kind, 'tool', q.subject->'tool', 'effect', q.subject->'effect',
    'text', left(q.subject->>'text', 500), 'expiresAt', round(extract(epoch from p_now) * 1000) + q."expiresInMs")) order by q."callNo")
  from jsonb_to_recordset(p_questions) as q("questionId" uuid, "callNo" int, kind text, subject jsonb, "expiresInMs" bigint)
$$;

-- An attempt's own traces, then what became of it.
create function baton_v1.outcome_drafts(p_ok baton_v1.settling[], p_now timestamptz)
returns baton_v1.draft[] language sql immutable
as $$
  select coalesce(array_agg(row(tenant_id, task_id, step_id, attempt_no, type, data)::baton_v1.draft order by ord, k), '{}')
  from (
    select o.ord, e.k, o.tenant_id, o.task_id, o.step_id, o.attempt_no, e.d->>'type' as type, e.d->'data' as data
    from unnest(p_ok) with ordinality as o(
      tenant_id, task_id, step_id, attempt_no, outcome, output, blob_id, output_bytes, preview, dead_edges, error, delay_ms, reason,
      adds, questions, children, concurrency, result, estimated_ms, usage, traces, may_continue, status, kind, pool, parent_step_id, bucket, on_exhausted,
      failure_count, crash_count, ord)
    cross join lateral jsonb_array_elements(o.traces) with ordinality as e(d, k)
    union all
    select o.ord, 9223372036854775807, o.tenant_id, o.task_id, o.step_id, o.attempt_no,
      case o.outcome when 'completed' then 'step-completed' when 'retry-later' then 'step-retry-scheduled' when 'exhausted' then 'step-failed' when 'held' then 'step-failed'
                     when 'released' then 'step-released' when 'expanded' then 'step-expanded' when 'asked' then 'step-asked' else 'step-deferred' end,
      case o.outcome
        when 'completed' then jsonb_strip_nulls(jsonb_build_object('deadEdges', to_jsonb(o.dead_edges), 'sizeBytes', o.output_bytes, 'preview', coalesce(o.preview, ''), 'blobId', o.blob_id))
        when 'retry-later' then jsonb_build_object('error', o.error, 'delayMs', o.delay_ms, 'failureCount', o.failure_count + 1)
        when 'exhausted' then jsonb_build_object('error', o.error, 'failureCount', o.failure_count + 1, 'crashCount', o.crash_count)
        when 'held' then jsonb_build_object('error', o.error, 'failureCount', o.failure_count + 1, 'crashCount', o.crash_count, 'held', true)
        when 'released' then jsonb_strip_nulls(jsonb_build_object('reason', o.reason, 'delayMs', o.delay_ms)) || case when o.error is null then '{}' else jsonb_build_object('error', o.error) end
        when 'expanded' then jsonb_build_object('itemCount', jsonb_array_length(o.adds), 'concurrency', o.concurrency)
        when 'asked' then jsonb_strip_nulls(jsonb_build_object('questions', coalesce(baton_v1.questions_asked(o.questions, p_now), '[]'), 'children', (
          select jsonb_agg(jsonb_build_object('childTaskId', c."childTaskId", 'callNo', c."callNo", 'agent', c.agent) order by c."callNo")
          from jsonb_to_recordset(o.children) as c("childTaskId" uuid, "callNo" int, agent text))))
        else jsonb_build_object('onStepIds', (select jsonb_agg(g->>'id') from jsonb_array_elements(o.adds) g))
      end
    from unnest(p_ok) with ordinality as o(
      tenant_id, task_id, step_id, attempt_no, outcome, output, blob_id, output_bytes, preview, dead_edges, error, delay_ms, reason,
      adds, questions, children, concurrency, result, estimated_ms, usage, traces, may_continue, status, kind, pool, parent_step_id, bucket, on_exhausted,
      failure_count, crash_count, ord)
  ) all_drafts
$$;

-- A deferred step waits for exactly what it added: open edges of an `any` join no longer matter.
create function baton_v1.wait_for_added(p_key baton_v1.step_key, p_adds jsonb)
returns void language sql
as $$
  update baton.task_execution_step_edge set verdict = 'dead'
  where tenant_id = p_key.tenant_id and task_id = p_key.task_id and to_step_id = p_key.step_id and verdict = 'open';
  insert into baton.task_execution_step_edge (tenant_id, task_id, from_step_id, to_step_id)
  select p_key.tenant_id, p_key.task_id, g.id, p_key.step_id from jsonb_to_recordset(p_adds) as g(id uuid);
  update baton.task_execution_step set join_n = null, deps_dead = 0, deps_open = jsonb_array_length(p_adds)
  where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id;
$$;

-- Items of a map that completed: their map's next items may go, and the map itself when none is open.
-- Index: primary key, step_items. Rows: the maps, one item each.
create function baton_v1.advance_maps(p_parents baton_v1.step_key[], p_now timestamptz, out moves baton_v1.move[], out readied baton_v1.step_key[])
language plpgsql
as $$
declare
  v_readied jsonb;
begin
  with done as (select tenant_id, task_id, step_id, count(*)::int as n from unnest(p_parents) group by 1, 2, 3),
  maps as (
    update baton.task_execution_step m set
      item_open = m.item_open - d.n,
      item_next = least(m.item_next + d.n, m.item_count),
      state = case when m.item_open - d.n = 0 and m.state = 'waiting' then 'ready' else m.state end,
      available_at = p_now
    from done d
    where m.tenant_id = d.tenant_id and m.task_id = d.task_id and m.step_id = d.step_id
    returning m.tenant_id, m.task_id, m.step_id, m.state, m.item_next - d.n as from_index, m.item_next as to_index
  ),
  items as (
    update baton.task_execution_step i set state = 'ready', available_at = p_now
    from maps m
    where i.tenant_id = m.tenant_id and i.task_id = m.task_id and i.parent_step_id = m.step_id
      and i.item_index >= m.from_index and i.item_index < m.to_index and i.state = 'pending'
      -- An item that was deferred waits for what it added, not for room.
      and i.deps_open = 0
    returning i.tenant_id, i.task_id, i.step_id
  )
  select jsonb_agg(x) from (
    select tenant_id as n, task_id as t, step_id as s, 'waiting' as f from maps where state = 'ready'
    union all
    select tenant_id, task_id, step_id, 'pending' from items) x
  into v_readied;
  moves := array(select row(n, t, f, 'ready', count(*))::baton_v1.move
                 from jsonb_to_recordset(coalesce(v_readied, '[]')) as c(n uuid, t uuid, f text) group by n, t, f);
  readied := array(select row(n, t, s)::baton_v1.step_key from jsonb_to_recordset(coalesce(v_readied, '[]')) as c(n uuid, t uuid, s uuid));
end $$;

-- A goal whose steps are all settled gets an evaluation step; while it is paused, for when it goes on.
-- Index: step primary key. Rows: one new step a task.
create function baton_v1.add_evaluations(
  p_tasks baton_v1.step_key[], p_now timestamptz, out moves baton_v1.move[], out drafts baton_v1.draft[], out readied baton_v1.step_key[])
language plpgsql
as $$
declare
  v_task record;
  v_id uuid;
  v_added record;
begin
  moves := '{}'; drafts := '{}'; readied := '{}';
  for v_task in
    select t.tenant_id, t.task_id, t.revision_count
    from unnest(p_tasks) k join baton.task_execution t using (tenant_id, task_id)
    where t.evaluates and t.intent in ('none', 'pause')
      and not exists (select from baton.task_execution_step s
                      where s.tenant_id = t.tenant_id and s.task_id = t.task_id
                        and s.state not in ('completed', 'skipped', 'cancelled'))
      and exists (select from baton.task_execution_step s where s.tenant_id = t.tenant_id and s.task_id = t.task_id and s.kind = 'user')
    order by t.tenant_id, t.task_id
  loop
    v_id := baton.uuid7();
    v_added := baton_v1.add_steps(v_task.tenant_id, v_task.task_id, jsonb_build_array(jsonb_build_object(
      'id', v_id, 'key', 'evaluate[' || v_task.revision_count || ']', 'kind', 'evaluate', 'type', 'evaluate',
      'description', 'Evaluate the progress towards the goal', 'config', '{}'::jsonb, 'refs', '[]'::jsonb, 'rank', 0,
      'pool', 'interactive', 'timeout_ms', 900000, 'retry', '{}'::jsonb, 'on_exhausted', 'fail', 'deps', '[]'::jsonb)), 'evaluation', null, p_now);
    moves := moves || v_added.moves;
    drafts := drafts || v_added.drafts;
    readied := readied || row(v_task.tenant_id, v_task.task_id, v_id)::baton_v1.step_key;
  end loop;
end $$;

-- A checkpoint when the number of settled user steps passes a multiple of the task's interval.
create function baton_v1.checkpoint_drafts(p_ok baton_v1.settling[])
returns baton_v1.draft[] language sql
as $$
  select coalesce(array_agg(row(t.tenant_id, t.task_id, null, null, 'checkpoint-saved', jsonb_build_object(
    'checkpointId', baton.uuid7(), 'settledNo', t.settled_seq + o.all_n, 'stepCount', t.completed_count + o.user_n))::baton_v1.draft), '{}')
  from (
    select tenant_id, task_id, count(*)::int as all_n, (count(*) filter (where kind = 'user'))::int as user_n
    from unnest(p_ok) where outcome = 'completed' group by 1, 2
  ) o
  join baton.task_execution t using (tenant_id, task_id)
  where (t.completed_count + o.user_n) / t.checkpoint_interval > t.completed_count / t.checkpoint_interval
$$;

-- Which readied steps this session goes on with, and which go to the queue at once.
-- A slot freed by a settled step takes the most urgent successor of its task in its own pool. Both
-- are held back while an older or more urgent step waits for the pump, while the task has an intent
-- or has failed, and where its own concurrency is used up.
create function baton_v1.choose_next(
  p_ok baton_v1.settling[], p_readied baton_v1.step_key[], p_room int, p_now timestamptz,
  out continued baton_v1.step_key[], out moves baton_v1.move[], out wake_ups jsonb)
language plpgsql set enable_hashjoin = on
as $$
declare
  v_going jsonb;
  v_sent jsonb;
begin
  with slots as (
    select tenant_id, task_id, pool, (count(*) filter (where may_continue and outcome = 'completed'))::int as free, count(*)::int as ended,
           bool_or(outcome = 'exhausted' and on_exhausted = 'fail') as failing
    from unnest(p_ok) group by 1, 2, 3
  ),
  tasks as (select tenant_id, task_id, sum(ended)::int as ended, bool_or(failing) as failing from slots group by 1, 2),
  oldest as (
    select s.pool, (
      select w.order_at from baton.task_execution_step w
      -- What this very call readied became available at p_now.
      where w.pool = s.pool and w.state = 'ready' and w.dispatched_at is null and w.order_at < 'infinity' and w.available_at < p_now
      order by w.order_at limit 1) as order_at
    from (
      select distinct s.pool from unnest(p_readied) r
      cross join lateral (select pool from baton.task_execution_step s where s.tenant_id = r.tenant_id and s.task_id = r.task_id and s.step_id = r.step_id offset 0) s
    ) s
  ),
  going as (
    select s.tenant_id, s.task_id, s.step_id, s.pool, s.kind, s.on_exhausted,
      row_number() over (partition by s.tenant_id, s.task_id, s.pool order by s.rank desc, s.position) as nth,
      row_number() over (partition by s.tenant_id, s.task_id order by s.rank desc, s.position) as nth_of_task,
      coalesce(f.free, 0) as free,
      case when t.concurrency is null then null else t.concurrency - (t.running_count + t.dispatched_count - coalesce(k.ended, 0)) end as allowed
    from unnest(p_readied) r
    -- Rows by primary key one by one; only the sets of this call are hashed against each other.
    cross join lateral (select * from baton.task_execution_step s where s.tenant_id = r.tenant_id and s.task_id = r.task_id and s.step_id = r.step_id offset 0) s
    cross join lateral (select * from baton.task_execution t where t.tenant_id = r.tenant_id and t.task_id = r.task_id offset 0) t
    left join tasks k on k.tenant_id = s.tenant_id and k.task_id = s.task_id
    left join slots f on f.tenant_id = s.tenant_id and f.task_id = s.task_id and f.pool = s.pool
    left join oldest q on q.pool = s.pool
    where s.state = 'ready' and t.intent = 'none' and t.failed_count = 0 and not coalesce(k.failing, false)
      and (q.order_at is null or q.order_at >= s.order_at)
  )
  select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'c', nth <= free, 'p', pool))
  from (
    select g.*, row_number() over (partition by nth <= free order by nth_of_task) as nth_to_send
    from going g where allowed is null or nth_of_task <= allowed
  ) g
  where nth <= free or nth_to_send <= p_room
  into v_going;

  continued := array(select row(n, t, s)::baton_v1.step_key from jsonb_to_recordset(coalesce(v_going, '[]')) as g(n uuid, t uuid, s uuid, c boolean) where c);

  with sent as (
    update baton.task_execution_step s set dispatched_at = p_now, dispatch_no = s.dispatch_no + 1, backing_off = false
    from jsonb_to_recordset(coalesce(v_going, '[]')) as g(n uuid, t uuid, s uuid, c boolean)
    where not g.c and s.tenant_id = g.n and s.task_id = g.t and s.step_id = g.s
    returning s.tenant_id, s.task_id, s.step_id, s.dispatch_no, s.pool, s.kind, s.on_exhausted
  )
  select jsonb_agg(jsonb_build_object('pool', pool, 'n', tenant_id, 't', task_id, 's', step_id, 'd', dispatch_no,
    'b', baton_v1.bucket(kind, 'ready', false, false, on_exhausted), 'o', baton_v1.bucket(kind, 'ready', true, false, on_exhausted)))
  from sent into v_sent;
  wake_ups := coalesce(v_sent, '[]');
  moves := array(select row(n, t, b, o, count(*))::baton_v1.move
                 from jsonb_to_recordset(wake_ups) as w(n uuid, t uuid, b text, o text) group by n, t, b, o);
end $$;
