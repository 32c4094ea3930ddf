-- Budgets: reserved before a call, settled after it. Equal to core/budget (ledger.ts, tested over generated calls).

-- Output tokens for which this much of a kind is enough. A tool's call takes of its own kind and of time, a model's of
-- everything else.
create function baton_v1.output_for(p_kind text, p_free numeric, p_call jsonb)
returns numeric language sql immutable parallel safe
as $$
  select case
    when p_kind = 'wallMs' then case when p_free > 0 then numeric 'Infinity' else -1 end
    when p_kind = 'toolCalls' then case when p_call->>'kind' = 'model' or p_free >= 1 then numeric 'Infinity' else -1 end
    when p_call->>'kind' = 'tool' then numeric 'Infinity'
    when p_kind = 'tokens' then p_free - (p_call->>'input')::numeric
    when p_kind = 'modelCalls' then case when p_free >= 1 then numeric 'Infinity' else -1 end
    when (p_call->>'rate')::numeric > 0 then floor((p_free - (p_call->>'usd')::numeric) / (p_call->>'rate')::numeric)
    when p_free >= (p_call->>'usd')::numeric then numeric 'Infinity'
    else -1
  end
$$;

-- What one budget has left for a call, one row for each kind that it caps: output tokens that fit now (`fits`), and that
-- would fit without the calls under way (`alone`); below 0 is not even a call without an answer.
create function baton_v1.budget_room(p_budget baton.budget, p_call jsonb, p_now timestamptz)
returns table (place int, kind text, cap numeric, settled numeric, reserved numeric, needed numeric, fits numeric, alone numeric)
language sql immutable
as $$
  select r.place, r.kind, r.cap, r.settled, r.reserved, r.needed, baton_v1.output_for(r.kind, r.cap - r.settled - r.reserved, p_call),
         baton_v1.output_for(r.kind, r.cap - r.settled, p_call)
  from (
    values
      (1, 'tokens', p_budget.cap_tokens::numeric, p_budget.settled_tokens::numeric, p_budget.reserved_tokens::numeric,
       coalesce((p_call->>'input')::numeric + (p_call->>'least')::numeric, 0)),
      (2, 'usd', p_budget.cap_usd, p_budget.settled_usd, p_budget.reserved_usd,
       coalesce((p_call->>'usd')::numeric + (p_call->>'least')::numeric * (p_call->>'rate')::numeric, 0)),
      (3, 'modelCalls', p_budget.cap_model_calls, p_budget.settled_model_calls, p_budget.reserved_model_calls, 1),
      (4, 'toolCalls', p_budget.cap_tool_calls, p_budget.settled_tool_calls, 0, 1),
      (5, 'wallMs', p_budget.cap_wall_ms, floor(extract(epoch from p_now - p_budget.began_at) * 1000), 0, 0)
  ) as r(place, kind, cap, settled, reserved, needed)
  where r.cap is not null
$$;

-- The budgets that calls concern, made where they are missing, locked, each with the caps that hold for it. A task's gets the
-- caps handed along with its first call; later ones are the row's. Keys: [{n, scope, id, caps, began}], ascending.
-- Lock order: budget rows ascending. Index: budget primary key. Rows: the keys'.
create function baton_v1.open_budgets(p_keys jsonb, p_now timestamptz)
returns baton.budget[] language plpgsql
as $$
declare
  v_budgets baton.budget[];
  v_caps baton.budget;
begin
  insert into baton.budget (tenant_id, scope, scope_id, cap_tokens, cap_usd, cap_model_calls, cap_tool_calls, cap_wall_ms, began_at, updated_at)
  select k.n, k.scope, k.id, c.tokens, c.usd, c."modelCalls", c."toolCalls", c."wallMs",
         case when k.scope = 'task' then to_timestamp(k.began / 1000) end, p_now
  from jsonb_to_recordset(p_keys) as k(n uuid, scope text, id text, caps jsonb, began float8)
  cross join lateral jsonb_to_record(case when k.scope = 'task' and jsonb_typeof(k.caps) = 'object' then k.caps else '{}' end)
    as c(tokens bigint, usd numeric, "modelCalls" bigint, "toolCalls" bigint, "wallMs" bigint)
  order by 1, 2, 3
  on conflict do nothing;

  perform 1 from baton.budget b
  where (b.tenant_id, b.scope, b.scope_id) in (select k.n, k.scope, k.id from jsonb_to_recordset(p_keys) as k(n uuid, scope text, id text))
  order by b.tenant_id, b.scope, b.scope_id
  for update;

  -- What was locked is read by a statement of its own, which sees what others did before.
  select array_agg(b.found order by k.place)
  from rows from (jsonb_to_recordset(p_keys) as (n uuid, scope text, id text)) with ordinality as k(n, scope, id, place)
  cross join lateral (
    select f as found from baton.budget f where f.tenant_id = k.n and f.scope = k.scope and f.scope_id = k.id offset 0) b
  into v_budgets;
  for i in 1 .. cardinality(v_budgets) loop
    if v_budgets[i].scope = 'tenant-day' then
      select * from baton.budget f where f.tenant_id = v_budgets[i].tenant_id and f.scope = 'tenant-day' and f.scope_id = '' into v_caps;
      v_budgets[i].cap_tokens := v_caps.cap_tokens;
      v_budgets[i].cap_usd := v_caps.cap_usd;
      v_budgets[i].cap_model_calls := v_caps.cap_model_calls;
    end if;
  end loop;
  return v_budgets;
end $$;

-- What the budgets of one call say to it together. A refusal for good is told before one for now.
create function baton_v1.budget_verdict(
  p_budgets baton.budget[], p_call jsonb, p_now timestamptz, out fits numeric, out capped boolean, out wall jsonb, out refusal jsonb)
language sql immutable
as $$
  select min(r.fits), coalesce(bool_or(r.kind in ('tokens', 'usd')), false), 
    (array_agg(jsonb_build_object('capMs', r.cap, 'leftMs', r.cap - r.settled)) filter (where r.kind = 'wallMs'))[1],
    (array_agg(jsonb_build_object('scope', (p_budgets[i]).scope, 'kind', r.kind, 'cap', r.cap, 'settled', r.settled, 'reserved', r.reserved,
        'needed', r.needed, 'later', l.later) order by l.later, i, r.place) filter (where r.fits < l.least))[1]
  from generate_subscripts(p_budgets, 1) i
  cross join lateral baton_v1.budget_room(p_budgets[i], p_call, p_now) r
  cross join lateral (
    select n.least, r.reserved > 0 and r.alone >= n.least as later
    from (select coalesce((p_call->>'least')::numeric, 0) as least) n) l
$$;

-- A granted call as a row: open, or settled at once where it is a tool's.
create function baton_v1.reservation_of(p_call jsonb, p_day date, p_tokens bigint, p_usd numeric, p_capped boolean, p_now timestamptz)
returns baton.reservation language sql immutable
as $$
  select jsonb_populate_record(null::baton.reservation, jsonb_build_object(
    'tenant_id', p_call->'n', 'reservation_id', p_call->'id', 'task_id', p_call->'t', 'step_id', p_call->'s', 'attempt_no', p_call->'a',
    'root_task_id', p_call->'r', 'day', p_day, 'kind', p_call->'kind', 'provider', p_call->'provider', 'model', p_call->'model',
    'offline', coalesce((p_call->>'offline')::boolean, false), 'state', case p_call->>'kind' when 'model' then 'open' else 'settled' end,
    'reserved_tokens', p_tokens, 'reserved_usd', p_usd, 'capped', p_capped, 'estimated', false,
    'priced', coalesce((p_call->>'priced')::boolean, false), 'created_at', p_now,
    'settled_at', case when p_call->>'kind' <> 'model' then p_now end))
$$;

-- reserve(calls): all or nothing per call, over every budget that it concerns: its task's, and for a model that costs
-- money its tenant's and its tenant's day. An answer per call in their order: {output, capped, wall: {capMs, leftMs}}, or
-- {refusal: {scope, kind, cap, settled, reserved, needed, later}}. The same reservation again is answered as it was made. A
-- tool's call is settled at once.
-- p_calls: [{id, n, t, s, a, r: root task (these four not of a call before its task), kind, caps, began, provider, model, offline,
-- input, least, most, usd, rate, priced}]
-- Lock order: budget rows ascending, then new reservation rows; no task. Index: primary keys. Rows: three budgets at most
-- and a reservation a call.
create function baton_v1.reserve(p_calls jsonb)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_day date := (v_now at time zone 'utc')::date;
  v_keys jsonb;
  v_budgets baton.budget[];
  v_places jsonb;
  v_own int[];
  v_known jsonb;
  v_call jsonb;
  v_verdict record;
  v_output numeric;
  v_tokens bigint;
  v_usd numeric;
  v_new baton.reservation[] := '{}';
  v_answers jsonb := '[]';
begin
  select jsonb_agg(k order by n, scope, id) from (
    select distinct on (n, scope, id) n, scope, id, caps, began
    from jsonb_to_recordset(p_calls) as c(n uuid, r uuid, kind text, offline boolean, caps jsonb, began float8)
    cross join lateral (
      values ('task', c.r::text), ('tenant', ''), ('tenant-day', v_day::text)) as o(scope, id)
    where case o.scope when 'task' then c.r is not null else c.kind = 'model' and not c.offline end
    order by n, scope, id) k
  into v_keys;
  v_budgets := baton_v1.open_budgets(v_keys, v_now);
  select jsonb_object_agg(concat_ws('/', n, scope, id), place)
  from rows from (jsonb_to_recordset(v_keys) as (n uuid, scope text, id text)) with ordinality as k(n, scope, id, place)
  into v_places;

  select coalesce(jsonb_object_agg(r.reservation_id, jsonb_build_object(
      'output', r.reserved_tokens - (c.j->>'input')::bigint, 'capped', r.capped)), '{}')
  from jsonb_array_elements(p_calls) as c(j)
  cross join lateral (
    select * from baton.reservation f
    where f.tenant_id = (c.j->>'n')::uuid and f.reservation_id = (c.j->>'id')::uuid offset 0) r
  into v_known;

  for v_call in select j from jsonb_array_elements(p_calls) with ordinality as c(j, ord) order by ord loop
    if v_known ? (v_call->>'id') then
      v_answers := v_answers || jsonb_build_array(v_known->(v_call->>'id'));
      continue;
    end if;
    v_own := array_remove(array[
      (v_places->>concat_ws('/', v_call->>'n', 'task', v_call->>'r'))::int,
      case when not (v_call->>'offline')::boolean then (v_places->>concat_ws('/', v_call->>'n', 'tenant', ''))::int end,
      case when not (v_call->>'offline')::boolean then (v_places->>concat_ws('/', v_call->>'n', 'tenant-day', v_day))::int end], null);
    v_verdict := baton_v1.budget_verdict(array(select v_budgets[i] from unnest(v_own) with ordinality as o(i, ord) order by ord), v_call, v_now);
    if v_verdict.refusal is not null then
      v_answers := v_answers || jsonb_build_array(jsonb_build_object('refusal', v_verdict.refusal));
      continue;
    end if;

    v_output := least((v_call->>'most')::numeric, v_verdict.fits);
    v_tokens := case v_call->>'kind' when 'model' then (v_call->>'input')::bigint + v_output::bigint else 0 end;
    v_usd := case v_call->>'kind' when 'model' then (v_call->>'usd')::numeric + v_output * (v_call->>'rate')::numeric else 0 end;
    for i in 1 .. cardinality(v_own) loop
      if v_call->>'kind' = 'tool' then
        v_budgets[v_own[i]].settled_tool_calls := v_budgets[v_own[i]].settled_tool_calls + 1;
        continue;
      end if;
      v_budgets[v_own[i]].reserved_tokens := v_budgets[v_own[i]].reserved_tokens + v_tokens;
      v_budgets[v_own[i]].reserved_usd := v_budgets[v_own[i]].reserved_usd + v_usd;
      v_budgets[v_own[i]].reserved_model_calls := v_budgets[v_own[i]].reserved_model_calls + 1;
    end loop;
    v_new := v_new || baton_v1.reservation_of(v_call, v_day, v_tokens, v_usd, v_verdict.capped, v_now);
    v_answers := v_answers || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
      'output', v_output, 'capped', v_verdict.capped, 'wall', v_verdict.wall)));
  end loop;

  if cardinality(v_new) > 0 then
    update baton.budget b set
      reserved_tokens = r.reserved_tokens, reserved_usd = r.reserved_usd, reserved_model_calls = r.reserved_model_calls,
      settled_tool_calls = r.settled_tool_calls, updated_at = v_now
    from (select * from unnest(v_budgets) offset 0) r
    where b.tenant_id = r.tenant_id and b.scope = r.scope and b.scope_id = r.scope_id;
    insert into baton.reservation select * from unnest(v_new);
  end if;
  return v_answers;
end $$;

-- settle_reservations(settlements): from reserved to settled. What a call really cost counts once, the first that is told;
-- `lost` (the upper bound) is an assumption that yields to it. Answers [{id, overrun}] for those that counted.
-- p_settlements: [{n, id, outcome: spent | lost | nothing, input, output, usd, estimated, cached, written}]
-- Lock order: budget rows ascending, then reservation rows, then spending rows ascending; no task. Index: primary keys.
-- Rows: three budgets at most, a reservation and a spending row a call.
create function baton_v1.settle_reservations(p_settlements jsonb)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_answers jsonb;
begin
  perform 1 from baton.budget b
  where (b.tenant_id, b.scope, b.scope_id) in (
    select r.tenant_id, o.scope, o.id
    from jsonb_to_recordset(p_settlements) as x(n uuid, id uuid)
    cross join lateral (
      select * from baton.reservation f where f.tenant_id = x.n and f.reservation_id = x.id offset 0) r
    cross join lateral (
      values ('task', r.root_task_id::text), ('tenant', ''), ('tenant-day', r.day::text)) as o(scope, id)
    where case o.scope when 'task' then r.root_task_id is not null else r.kind = 'model' and not r.offline end)
  order by b.tenant_id, b.scope, b.scope_id
  for update;

  with told as materialized (
    select r.tenant_id, r.reservation_id, r.root_task_id, r.day, r.provider, r.model, r.offline, r.priced, r.state as before,
      r.reserved_tokens, r.reserved_usd, x.outcome,
      case x.outcome when 'spent' then 'settled' when 'lost' then 'lost' else 'void' end as after,
      case x.outcome when 'spent' then x.input when 'lost' then r.reserved_tokens else 0 end as input_tokens,
      case x.outcome when 'spent' then x.output else 0 end as output_tokens,
      case x.outcome when 'spent' then coalesce(x.usd, 0) when 'lost' then r.reserved_usd else 0 end as cost_usd,
      coalesce(x.estimated, false) as estimated, coalesce(x.cached, 0) as cached_tokens, coalesce(x.written, 0) as cache_write_tokens
    from (
      select distinct on (n, id) * from rows from (jsonb_to_recordset(p_settlements) as (
        n uuid, id uuid, outcome text, input bigint, output bigint, usd numeric, estimated boolean, cached bigint, written bigint))
        with ordinality as e(n, id, outcome, input, output, usd, estimated, cached, written, ord)
      order by n, id, ord) x
    cross join lateral (
      select * from baton.reservation f where f.tenant_id = x.n and f.reservation_id = x.id offset 0) r
    where r.state = 'open' or (r.state = 'lost' and x.outcome <> 'lost')
  ),
  ended as (
    update baton.reservation r set
      state = s.after, input_tokens = s.input_tokens, output_tokens = s.output_tokens, cost_usd = s.cost_usd, estimated = s.estimated,
      cached_tokens = s.cached_tokens, cache_write_tokens = s.cache_write_tokens,
      settled_at = v_now
    from told s where r.tenant_id = s.tenant_id and r.reservation_id = s.reservation_id
  ),
  -- What each moves: `held` is what was reserved until now, `charged` what had been charged on an assumption.
  charge as materialized (
    select s.*, (s.before = 'open')::int as held, (s.before = 'lost')::int as charged, (s.after <> 'void')::int as counts,
      case when s.after = 'settled' then greatest(0, s.input_tokens + s.output_tokens - s.reserved_tokens) else 0 end as overrun_tokens,
      case when s.after = 'settled' then greatest(0, s.cost_usd - s.reserved_usd) else 0 end as overrun_usd
    from told s
  ),
  moved as (
    update baton.budget b set
      reserved_tokens = b.reserved_tokens - c.held_tokens, reserved_usd = b.reserved_usd - c.held_usd,
      reserved_model_calls = b.reserved_model_calls - c.held_calls,
      settled_tokens = b.settled_tokens + c.tokens, settled_usd = b.settled_usd + c.usd, settled_model_calls = b.settled_model_calls + c.calls,
      overrun_tokens = b.overrun_tokens + c.overrun_tokens, overrun_usd = b.overrun_usd + c.overrun_usd, updated_at = v_now
    from (
      select m.tenant_id, o.scope, o.id, sum(m.held * m.reserved_tokens) as held_tokens, sum(m.held * m.reserved_usd) as held_usd,
        sum(m.held) as held_calls,
        sum(m.input_tokens + m.output_tokens - m.charged * m.reserved_tokens) as tokens, sum(m.cost_usd - m.charged * m.reserved_usd) as usd,
        sum(m.counts - m.charged) as calls, sum(m.overrun_tokens) as overrun_tokens, sum(m.overrun_usd) as overrun_usd
      from charge m
      cross join lateral (
        values ('task', m.root_task_id::text), ('tenant', ''), ('tenant-day', m.day::text)) as o(scope, id)
      where case o.scope when 'task' then m.root_task_id is not null else not m.offline end
      group by 1, 2, 3 offset 0) c
    where b.tenant_id = c.tenant_id and b.scope = c.scope and b.scope_id = c.id
  ),
  spent as (
    insert into baton.spending (tenant_id, day, provider, model, calls, input_tokens, output_tokens, cost_usd,
      estimated_calls, lost_calls, unpriced_calls, overrun_tokens, overrun_usd, cached_tokens, cache_write_tokens)
    select m.tenant_id, m.day, m.provider, m.model, sum(m.counts - m.charged),
      sum(m.input_tokens - m.charged * m.reserved_tokens), sum(m.output_tokens), sum(m.cost_usd - m.charged * m.reserved_usd),
      sum((m.after = 'settled' and m.estimated)::int), sum((m.after = 'lost')::int - m.charged),
      sum((not m.priced)::int * (m.counts - m.charged)), sum(m.overrun_tokens), sum(m.overrun_usd),
      sum(m.cached_tokens), sum(m.cache_write_tokens)
    from charge m where not m.offline
    group by 1, 2, 3, 4 order by 1, 2, 3, 4
    on conflict (tenant_id, day, provider, model) do update set
      calls = spending.calls + excluded.calls, input_tokens = spending.input_tokens + excluded.input_tokens,
      output_tokens = spending.output_tokens + excluded.output_tokens, cost_usd = spending.cost_usd + excluded.cost_usd,
      estimated_calls = spending.estimated_calls + excluded.estimated_calls, lost_calls = spending.lost_calls + excluded.lost_calls,
      unpriced_calls = spending.unpriced_calls + excluded.unpriced_calls,
      overrun_tokens = spending.overrun_tokens + excluded.overrun_tokens, overrun_usd = spending.overrun_usd + excluded.overrun_usd,
      cached_tokens = spending.cached_tokens + excluded.cached_tokens, cache_write_tokens = spending.cache_write_tokens + excluded.cache_write_tokens
  )
  select coalesce(jsonb_agg(jsonb_build_object('id', reservation_id, 'overrun', overrun_tokens)), '[]') from charge into v_answers;
  return v_answers;
end $$;

-- expire_reservations(): what attempts that are over have left open is charged whole: the provider may have, and nobody can
-- say. An attempt is over when its step runs no more, or runs another one; so a dead session's are, once it was reaped. A call
-- of no attempt has ten minutes.
-- Lock order: as settle_reservations (steps are read). Index: reservation_open, step primary key. Rows: up to 500 a call.
create function baton_v1.expire_reservations()
returns int language plpgsql
as $$
declare
  v_over jsonb;
  v_count int;
begin
  select jsonb_agg(x) from (
    select r.tenant_id as n, r.reservation_id as id, 'lost' as outcome
    from baton.reservation r
    left join lateral (
      select f.state, f.attempt_no from baton.task_execution_step f
      where f.tenant_id = r.tenant_id and f.task_id = r.task_id and f.step_id = r.step_id offset 0) s on true
    where r.state = 'open' and case when r.step_id is null then r.created_at < baton.clock() - interval '10 minutes'
      else s.state is distinct from 'running' or s.attempt_no <> r.attempt_no end
    order by r.created_at limit 500) x
  into v_over;
  if v_over is null then return 0; end if;
  perform jsonb_array_elements(baton_v1.settle_reservations(v_over));
  get diagnostics v_count = row_count;
  return v_count;
end $$;
