-- What people may spend: caps of a task, of a tenant, of each of its days.

-- Caps as JSON, in the names of the task's settings.
create function baton_v1.caps_of(p_budget baton.budget)
returns jsonb language sql immutable parallel safe
as $$
  select jsonb_strip_nulls(jsonb_build_object('tokens', p_budget.cap_tokens, 'usd', p_budget.cap_usd, 'modelCalls', p_budget.cap_model_calls,
    'toolCalls', p_budget.cap_tool_calls, 'wallMs', p_budget.cap_wall_ms))
$$;

-- The caps that a task was created with; `maxTokens` is the older name of `budget.tokens`. Equal to core/budget capsOf.
create function baton_v1.created_caps(p_settings jsonb)
returns jsonb language sql immutable parallel safe
as $$
  select jsonb_strip_nulls(coalesce(p_settings->'budget', '{}') - 'onBreach' || jsonb_build_object('tokens',
    least((p_settings->'budget'->>'tokens')::bigint, (p_settings->>'maxTokens')::bigint)))
$$;

-- Steps that the budget of their task, or of its tree, holds. The task is locked by the caller. Index: step_failed.
create function baton_v1.held_by_budget(p_tenant uuid, p_task uuid)
returns baton_v1.step_key[] language sql stable
as $$
  select array(
    select row(s.tenant_id, s.task_id, s.step_id)::baton_v1.step_key from baton.task_execution_step s
    where s.tenant_id = p_tenant and s.task_id = p_task and s.state = 'failed' and s.held
      and s.error->>'code' in ('budget-exceeded', 'token-limit')
    order by s.step_id)
$$;

-- change_task_budget(task, change): new caps; null in p_change takes one away. Steps that its budget holds go on. A cap
-- below what is spent and under way is refused, and so is one on tool calls where none were counted.
-- Answers {answer: changed | unchanged | illegal | below | uncounted | of-root, state, kind, least, rootTaskId, wakeUps}, or
-- null. Lock order: the task row, step rows, its budget row, its child rows. Index: primary keys, step_failed. Rows: the budget, the held steps.
create function baton_v1.change_task_budget(p_tenant uuid, p_task uuid, p_change jsonb, p_by text, p_reason text, p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_task record;
  v_budget baton.budget;
  v_caps jsonb;
  v_below record;
  v_held baton_v1.step_key[];
  v_reply jsonb;
begin
  select t.state, t.created_at, t.root_task_id, baton_v1.created_caps(t.settings) as caps from baton.task_execution t
  where t.tenant_id = p_tenant and t.task_id = p_task for no key update into v_task;
  if not found then return null; end if;
  if v_task.root_task_id is not null then
    return jsonb_build_object('answer', 'of-root', 'state', v_task.state, 'rootTaskId', v_task.root_task_id);
  end if;
  if v_task.state in ('completed', 'cancelled') then
    return jsonb_build_object('answer', 'illegal', 'state', v_task.state);
  end if;
  if p_change->>'toolCalls' is not null and not v_task.caps ? 'toolCalls' then
    return jsonb_build_object('answer', 'uncounted', 'state', v_task.state);
  end if;
  v_held := baton_v1.held_by_budget(p_tenant, p_task);

  insert into baton.budget (tenant_id, scope, scope_id, cap_tokens, cap_usd, cap_model_calls, cap_tool_calls, cap_wall_ms, began_at, updated_at)
  select p_tenant, 'task', p_task::text, c.tokens, c.usd, c."modelCalls", c."toolCalls", c."wallMs", v_task.created_at, v_now
  from jsonb_to_record(v_task.caps) as c(tokens bigint, usd numeric, "modelCalls" bigint, "toolCalls" bigint, "wallMs" bigint)
  on conflict do nothing;
  select * from baton.budget b where b.tenant_id = p_tenant and b.scope = 'task' and b.scope_id = p_task::text for update into v_budget;

  v_caps := jsonb_strip_nulls(baton_v1.caps_of(v_budget) || p_change);
  if v_caps = baton_v1.caps_of(v_budget) then
    return jsonb_build_object('answer', 'unchanged', 'state', v_task.state);
  end if;
  select r.kind, r.least from (values
    ('tokens', (v_caps->>'tokens')::numeric, (v_budget.settled_tokens + v_budget.reserved_tokens)::numeric),
    ('usd', (v_caps->>'usd')::numeric, v_budget.settled_usd + v_budget.reserved_usd),
    ('modelCalls', (v_caps->>'modelCalls')::numeric, (v_budget.settled_model_calls + v_budget.reserved_model_calls)::numeric),
    ('toolCalls', (v_caps->>'toolCalls')::numeric, v_budget.settled_tool_calls::numeric)) as r(kind, cap, least)
  where r.cap < r.least and p_change ? r.kind limit 1
  into v_below;
  if found then
    return jsonb_build_object('answer', 'below', 'state', v_task.state, 'kind', v_below.kind, 'least', v_below.least);
  end if;

  update baton.budget b set
    cap_tokens = (v_caps->>'tokens')::bigint, cap_usd = (v_caps->>'usd')::numeric, cap_model_calls = (v_caps->>'modelCalls')::bigint,
    cap_tool_calls = (v_caps->>'toolCalls')::bigint, cap_wall_ms = (v_caps->>'wallMs')::bigint,
    caps_changed_at = v_now, updated_at = v_now
  where b.tenant_id = p_tenant and b.scope = 'task' and b.scope_id = p_task::text;
  perform baton_v1.apply('{}', array[row(p_tenant, p_task, null, null, 'budget-changed',
    jsonb_strip_nulls(jsonb_build_object('caps', v_caps, 'by', p_by, 'reason', p_reason)))::baton_v1.draft], v_now);
  perform baton_v1.tell_children_of_budget(p_tenant, p_task);
  if cardinality(v_held) > 0 then
    v_reply := baton_v1.retry_steps(v_held, p_by, 'the budget of the task was changed', p_room);
  end if;
  return (select jsonb_build_object('answer', 'changed', 'state', t.state, 'wakeUps', coalesce(v_reply->'wakeUps', '[]'))
          from baton.task_execution t where t.tenant_id = p_tenant and t.task_id = p_task);
end $$;

-- Steps that were just held by a budget which was changed while their attempt ran: the change has not seen them.
-- Tasks are locked by the caller. Index: primary keys. Rows: as retry_steps.
create function baton_v1.reopen_raised(p_keys baton_v1.step_key[])
returns void language plpgsql
as $$
declare
  v_keys baton_v1.step_key[];
begin
  v_keys := array(
    select k from unnest(p_keys) k
    cross join lateral (
      select * from baton.task_execution_step f
      where f.tenant_id = k.tenant_id and f.task_id = k.task_id and f.step_id = k.step_id offset 0) s
    cross join lateral (
      select f.root_task_id from baton.task_execution f where f.tenant_id = k.tenant_id and f.task_id = k.task_id offset 0) t
    cross join lateral (
      select f.caps_changed_at from baton.budget f
      where f.tenant_id = k.tenant_id and f.scope = 'task' and f.scope_id = coalesce(t.root_task_id, k.task_id)::text offset 0) b
    where s.state = 'failed' and s.held and s.error->>'code' in ('budget-exceeded', 'token-limit') and b.caps_changed_at > s.started_at);
  if cardinality(v_keys) > 0 then
    perform baton_v1.retry_steps(v_keys, null, 'the budget of the task was changed', 0);
  end if;
end $$;

-- set_tenant_budget(scope, caps): all caps of a tenant, or of each of its days; what is absent is not capped. A cap below
-- what is spent stops everything that is new.
-- Lock order: the budget row. Index: primary key. Rows: one.
create function baton_v1.set_tenant_budget(p_tenant uuid, p_scope text, p_caps jsonb)
returns void language plpgsql
as $$
begin
  insert into baton.budget (tenant_id, scope, scope_id, cap_tokens, cap_usd, cap_model_calls, caps_changed_at, updated_at)
  values (p_tenant, p_scope, '', (p_caps->>'tokens')::bigint, (p_caps->>'usd')::numeric, (p_caps->>'modelCalls')::bigint, baton.clock(), baton.clock())
  on conflict (tenant_id, scope, scope_id) do update set
    cap_tokens = excluded.cap_tokens, cap_usd = excluded.cap_usd, cap_model_calls = excluded.cap_model_calls,
    caps_changed_at = excluded.caps_changed_at, updated_at = excluded.updated_at;
end $$;
