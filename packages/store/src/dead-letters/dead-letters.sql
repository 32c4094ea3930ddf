-- Dead letters: steps that are out of attempts, and what a person does with them.

-- What two messages of the same cause have in common: ids, numbers, addresses and quoted texts are left out.
create function baton_v1.error_pattern(p_message text)
returns text language sql immutable parallel safe
as $$
  select left(btrim(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(left(coalesce(p_message, ''), 1000),
    '[a-z][a-z0-9+.-]*://[^\s"'')>]+', '<url>', 'gi'),
    '"[^"]*"', '"…"', 'g'),
    '\m[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\M|\m(?=[0-9a-f]*[0-9])[0-9a-f]{12,}\M', '<id>', 'gi'),
    '\m\d+([.,:]\d+)*', '<n>', 'g'),
    '\s+', ' ', 'g')), 300)
$$;

-- One group = one cause: the error's code and pattern, and what met it. Short enough to be typed; one tenant has few.
create function baton_v1.dead_letter_group(p_code text, p_pattern text, p_type text, p_tool text)
returns text language sql immutable parallel safe
as $$
  select left(md5(concat_ws(chr(31), p_code, p_pattern, p_type, p_tool)), 12)
$$;

-- retry_steps(keys): reopens what is out of attempts; failures and crashes so far no longer count. A step that
-- goes on already is unchanged, one that has ended is illegal.
-- Lock order: task rows ascending, then step rows. Index: primary keys. Rows: the tasks, the steps, a trace each.
create function baton_v1.retry_steps(p_keys baton_v1.step_key[], p_by text, p_reason text, p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_reopened jsonb;
  v_keys baton_v1.step_key[];
  v_wake jsonb;
begin
  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select k.tenant_id, k.task_id from unnest(p_keys) k)
  order by t.tenant_id, t.task_id
  for no key update;

  with reopened as (
    update baton.task_execution_step s set
      state = 'ready', failure_count = 0, crash_count = 0, held = false, available_at = v_now, finished_at = null
    from (
      select distinct k.tenant_id, k.task_id, k.step_id, f.held from unnest(p_keys) k
      cross join lateral (
        select held from baton.task_execution_step f
        where f.tenant_id = k.tenant_id and f.task_id = k.task_id and f.step_id = k.step_id offset 0) f) k
    where s.tenant_id = k.tenant_id and s.task_id = k.task_id and s.step_id = k.step_id and s.state = 'failed'
    returning s.tenant_id, s.task_id, s.step_id, s.kind, baton_v1.resting_policy(s.on_exhausted, k.held) as on_exhausted
  )
  select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id,
    'b', baton_v1.bucket(kind, 'failed', false, false, on_exhausted), 'o', baton_v1.bucket(kind, 'ready', false, false, on_exhausted)))
  from reopened into v_reopened;
  v_reopened := coalesce(v_reopened, '[]');
  v_keys := array(select row(n, t, s)::baton_v1.step_key from jsonb_to_recordset(v_reopened) as r(n uuid, t uuid, s uuid));

  if cardinality(v_keys) > 0 then
    perform baton_v1.apply(
      array(select row(n, t, b, o, count(*))::baton_v1.move from jsonb_to_recordset(v_reopened) as r(n uuid, t uuid, b text, o text) group by n, t, b, o),
      array(select row(n, t, s, null, 'step-reopened', jsonb_strip_nulls(jsonb_build_object('by', p_by, 'reason', p_reason)))::baton_v1.draft
            from jsonb_to_recordset(v_reopened) as r(n uuid, t uuid, s uuid)), v_now);
    v_wake := baton_v1.dispatch_readied(v_keys, p_room, v_now);
  end if;

  return jsonb_build_object('wakeUps', coalesce(v_wake, '[]'), 'answers', (
    select coalesce(jsonb_agg(jsonb_build_object('taskId', s.task_id, 'stepId', s.step_id, 'taskState', t.state, 'stepState', s.state,
      'answer', case when exists (select from unnest(v_keys) r where r.step_id = s.step_id and r.task_id = s.task_id) then 'changed'
                     when s.state in ('completed', 'skipped', 'cancelled') then 'illegal' else 'unchanged' end)), '[]')
    from (select distinct tenant_id, task_id, step_id from unnest(p_keys)) k
    cross join lateral (select * from baton.task_execution_step f where f.tenant_id = k.tenant_id and f.task_id = k.task_id and f.step_id = k.step_id offset 0) s
    cross join lateral (select * from baton.task_execution f where f.tenant_id = k.tenant_id and f.task_id = k.task_id offset 0) t));
end $$;

-- Sends what was readied to the queue at once, where nothing older waits and its task goes on; the pump sends the rest.
-- Tasks are locked by the caller, and their counters applied. Rows: as choose_next.
create function baton_v1.dispatch_readied(p_readied baton_v1.step_key[], p_room int, p_now timestamptz)
returns jsonb language plpgsql
as $$
declare
  v_next record;
begin
  if cardinality(p_readied) = 0 then return '[]'; end if;
  v_next := baton_v1.choose_next('{}', p_readied, p_room, p_now);
  if cardinality(v_next.moves) > 0 then
    perform baton_v1.apply(v_next.moves, '{}', p_now);
  end if;
  return v_next.wake_ups;
end $$;

-- resolve_step(key, attempt, resolution): a dead letter ends with a person's output (completed) or without one
-- (skipped), and everything follows from it as from a settle. Fenced by the attempt that failed: edges were judged
-- for that one. p_resolution: {state, output, bytes, preview, dead, by, reason}; p_content is the output in its place
-- where it is too large to stand inline. Which kinds may end how: core/lifecycle resolutionsOf.
-- The same resolution again is unchanged; any other than of a failed step is illegal.
-- Lock order: the task row, then step rows. Index: primary keys. Rows: as a settle of one step.
create function baton_v1.resolve_step(p_key baton_v1.step_key, p_attempt int, p_resolution jsonb, p_content bytea, p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_state text := p_resolution->>'state';
  v_dead uuid[] := array(select d::uuid from jsonb_array_elements_text(coalesce(p_resolution->'dead', '[]')) d);
  v_task record;
  v_step record;
  v_blob uuid;
  v_ok baton_v1.settling;
  v_moves baton_v1.move[];
  v_drafts baton_v1.draft[];
  v_follow record;
  v_items record;
  v_more record;
  v_parents baton_v1.step_key[];
  v_readied baton_v1.step_key[];
  v_wake jsonb;
begin
  select state, settled_seq from baton.task_execution where tenant_id = p_key.tenant_id and task_id = p_key.task_id
  for no key update into v_task;
  if not found then return null; end if;
  select * from baton.task_execution_step
  where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id into v_step;
  if not found then return null; end if;

  if v_step.state <> 'failed' or v_step.attempt_no <> p_attempt
     or v_step.kind = 'plan' or (v_step.kind = 'evaluate' and v_state = 'completed') then
    return jsonb_build_object('taskState', v_task.state, 'stepState', v_step.state, 'wakeUps', '[]'::jsonb, 'answer', case
      when v_step.state <> v_state then 'illegal'
      when v_state = 'skipped' then 'unchanged'
      when v_step.blob_id is null and p_content is null and v_step.output is not distinct from nullif(p_resolution->'output', 'null') then 'unchanged'
      when exists (select from baton.blob b where b.tenant_id = p_key.tenant_id and b.task_id = p_key.task_id
                     and b.blob_id = v_step.blob_id and b.content = p_content) then 'unchanged'
      else 'illegal' end);
  end if;

  if p_content is not null then
    v_blob := baton.uuid7();
    insert into baton.blob (tenant_id, task_id, blob_id, content) values (p_key.tenant_id, p_key.task_id, v_blob, p_content);
  end if;
  update baton.task_execution_step set
    state = v_state, finished_at = v_now,
    output = nullif(p_resolution->'output', 'null'), blob_id = v_blob, output_bytes = coalesce((p_resolution->>'bytes')::int, 0),
    error = case when v_state = 'completed' then null else error end,
    settled_no = case when v_state = 'completed' then v_task.settled_seq + 1 else settled_no end
  where tenant_id = p_key.tenant_id and task_id = p_key.task_id and step_id = p_key.step_id;

  -- By name, so that this is what a settle would see.
  v_ok := jsonb_populate_record(null::baton_v1.settling, jsonb_build_object(
    'tenant_id', p_key.tenant_id, 'task_id', p_key.task_id, 'step_id', p_key.step_id, 'attempt_no', p_attempt, 'outcome', 'completed',
    'output', p_resolution->'output', 'kind', v_step.kind, 'pool', v_step.pool));

  v_moves := array[row(p_key.tenant_id, p_key.task_id, baton_v1.bucket(v_step.kind, 'failed', false, false, baton_v1.resting_policy(v_step.on_exhausted, v_step.held)),
                       baton_v1.bucket(v_step.kind, v_state, false, false, v_step.on_exhausted), 1)::baton_v1.move];
  v_drafts := array[row(p_key.tenant_id, p_key.task_id, p_key.step_id, null, 'step-resolved', jsonb_strip_nulls(jsonb_build_object(
    'state', v_state, 'by', p_resolution->'by', 'reason', p_resolution->'reason', 'deadEdges', to_jsonb(v_dead),
    'sizeBytes', p_resolution->'bytes', 'preview', p_resolution->'preview', 'blobId', v_blob)))::baton_v1.draft];

  v_follow := baton_v1.follow_edges(array[p_key],
    array(select row(p_key.tenant_id, p_key.task_id, p_key.step_id, d)::baton_v1.edge_key from unnest(v_dead) d),
    v_state = 'skipped', v_now);
  v_moves := v_moves || v_follow.moves;
  v_drafts := v_drafts || v_follow.drafts;
  v_readied := v_follow.readied;

  -- Items that ended: this step, and what could not run without it (an item waits for its own summaries only).
  v_parents := array(
    select row(s.tenant_id, s.task_id, s.parent_step_id)::baton_v1.step_key
    from (select p_key.step_id as id union all select d.step_id from unnest(v_follow.drafts) d where d.type = 'step-skipped') e
    cross join lateral (
      select * from baton.task_execution_step f
      where f.tenant_id = p_key.tenant_id and f.task_id = p_key.task_id and f.step_id = e.id offset 0) s
    where s.parent_step_id is not null);
  if cardinality(v_parents) > 0 then
    v_items := baton_v1.advance_maps(v_parents, v_now);
    v_moves := v_moves || v_items.moves;
    v_readied := v_readied || v_items.readied;
  end if;

  if v_step.kind <> 'evaluate' then
    v_more := baton_v1.add_evaluations(array[row(p_key.tenant_id, p_key.task_id, null)::baton_v1.step_key], v_now);
    v_moves := v_moves || v_more.moves;
    v_drafts := v_drafts || v_more.drafts;
    v_readied := v_readied || v_more.readied;
  end if;
  if v_state = 'completed' then
    v_drafts := v_drafts || baton_v1.checkpoint_drafts(array[v_ok]);
    if v_step.kind = 'reply' then
      perform baton_v1.append_replies(array[v_ok], v_now);
    end if;
  end if;

  perform baton_v1.apply(v_moves, v_drafts, v_now, jsonb_build_array(jsonb_build_object(
    'n', p_key.tenant_id, 't', p_key.task_id, 'settled', case when v_state = 'completed' then 1 else 0 end)));
  v_wake := baton_v1.dispatch_readied(v_readied, p_room, v_now);
  return (select jsonb_build_object('answer', 'changed', 'taskState', state, 'stepState', v_state, 'wakeUps', v_wake)
          from baton.task_execution where tenant_id = p_key.tenant_id and task_id = p_key.task_id);
end $$;
