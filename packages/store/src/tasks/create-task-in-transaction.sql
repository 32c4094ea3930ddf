-- client_of_key: whom a key belongs to, what it may do, and what the installation adds to the settings of a task.
-- As baton_engine, whoever calls: the tenant is not known before the key is. Only baton_api may ask.
-- Index: api_key_hash. Rows: one.
create function baton_v1.client_of_key(p_hash text)
returns table (tenant_id uuid, key_id uuid, scopes text[], task_defaults jsonb)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  select k.tenant_id, k.key_id, k.scopes, coalesce((select i.task_defaults from baton.installation i), '{}')
  from baton.api_key k where k.hash = p_hash and k.revoked_at is null
$$;
revoke execute on function baton_v1.client_of_key(text) from public;
grant execute on function baton_v1.client_of_key(text) to baton_api;
grant create on schema baton_v1 to baton_engine;
alter function baton_v1.client_of_key(text) owner to baton_engine;
revoke create on schema baton_v1 from baton_engine;

-- create_task_of_client: the first task of an idempotency key, or that one again. Steps are dispatched after the commit by
-- whoever hears the notification, else by a pump's next round.
-- Lock order: the row of the idempotency key, then the new task row. Index: primary keys. Rows: the new ones.
create function baton_v1.create_task_of_client(p_tenant uuid, p_key uuid, p_defaults jsonb, p_request jsonb)
returns jsonb language plpgsql
as $$
declare
  v_route constant text := 'createTask in a transaction';
  v_name constant text := p_request->>'idempotencyKey';
  v_task uuid := (p_request->>'taskId')::uuid;
  v_held record;
  v_is_first boolean := true;
begin
  if p_request ? 'idempotencyKey' then
    -- Whoever holds the row is waited for, and what it did is looked at by statements that begin afterwards: one that
    -- began before does not see its task.
    loop
      insert into baton.idempotency_key (tenant_id, route, key, body_hash, task_id, created_at)
      values (p_tenant, v_route, v_name, p_request->>'bodyHash', v_task, baton.clock())
      on conflict (tenant_id, route, key) do nothing;
      v_is_first := found;
      exit when found;
      select body_hash, task_id, created_at from baton.idempotency_key
      where tenant_id = p_tenant and route = v_route and key = v_name
      for update into v_held;
      -- Else it was deleted between the two.
      exit when found;
    end loop;
    if not v_is_first then
      v_is_first := v_held.created_at < baton.clock() - interval '24 hours'
        -- Pruned: nobody can be told about it any more.
        or not exists (select from baton.task_execution t where t.tenant_id = p_tenant and t.task_id = v_held.task_id);
      if v_is_first then
        update baton.idempotency_key set body_hash = p_request->>'bodyHash', task_id = v_task, created_at = baton.clock()
        where tenant_id = p_tenant and route = v_route and key = v_name;
      elsif v_held.body_hash is distinct from p_request->>'bodyHash' then
        return jsonb_build_object('refused', 'idempotency-key-reused');
      else
        v_task := v_held.task_id;
      end if;
    end if;
  end if;

  if v_is_first then
    perform baton_v1.create_task(
      p_request - array['defaults', 'idempotencyKey', 'bodyHash', 'idempotency', 'originTaskId', 'parentTaskId', 'rootTaskId', 'depth'] || jsonb_build_object(
        'tenantId', p_tenant, 'createdBy', p_key, 'traces', '[]'::jsonb,
        'settings', (p_request->'defaults') || p_defaults || (p_request->'settings')),
      0);
    perform pg_notify('baton_ready', pool) from (
      select distinct pool from baton.task_execution_step where tenant_id = p_tenant and task_id = v_task and state = 'ready') p;
  end if;
  return (select jsonb_build_object('id', task_id, 'kind', kind, 'state', state) from baton.task_execution
          where tenant_id = p_tenant and task_id = v_task);
end $$;

-- create_task_v1: a task inside the caller's own transaction, which commits or rolls it back with the caller's rows.
-- Runs as baton_api with the tenant of the key, so row-level security binds it whoever calls; role, tenant and planner
-- settings of the caller are as before when it returns or fails. What a client may get wrong is answered, not raised,
-- so that the caller's transaction stays usable: {"refused": "<code>", …}.
-- p_request: taskId, kind (goal, plan), goal, input, settings (the client's own), defaults (Baton's), steps
-- (as add_steps reads them), result, estimatedDurationMs, threadId; idempotencyKey and bodyHash, or neither.
-- Lock order: the row of the idempotency key, then the new task row. Index: primary keys, api_key_hash. Rows: the new ones.
create or replace function baton_client.create_task_v1(p_key_hash text, p_request jsonb)
returns jsonb language plpgsql security definer
set search_path = pg_catalog, pg_temp
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_tenant_before text := coalesce(current_setting('baton.tenant_id', true), '');
  v_client record;
  v_answer jsonb;
begin
  select * from baton_v1.client_of_key(p_key_hash) into v_client;
  if v_client.tenant_id is null then
    return jsonb_build_object('refused', 'unauthenticated');
  end if;
  if not v_client.scopes && array['write', 'admin'] then
    return jsonb_build_object('refused', 'forbidden', 'scopes', v_client.scopes);
  end if;
  -- What the client lays out itself is believed within its tenant; that Baton's own steps and pool are not the client's is not.
  if (case p_request->>'kind'
       when 'plan' then jsonb_path_exists(p_request, '$.steps[*] ? (@.kind != "user" || @.pool == "interactive" || @.config.step.pool == "interactive")')
       when 'goal' then jsonb_array_length(p_request->'steps') <> 1 or p_request->'steps'->0->>'kind' <> 'plan'
       else true
     end) then
    return jsonb_build_object('refused', 'invalid-plan');
  end if;
  -- Only a superuser's function may restore a setting of ours by itself; a failure rolls it back.
  perform set_config('baton.tenant_id', v_client.tenant_id::text, true);
  v_answer := baton_v1.create_task_of_client(v_client.tenant_id, v_client.key_id, v_client.task_defaults, p_request);
  perform set_config('baton.tenant_id', v_tenant_before, true);
  return v_answer;
end $$;
grant create on schema baton_client to baton_api;
alter function baton_client.create_task_v1(text, jsonb) owner to baton_api;
revoke create on schema baton_client from baton_api;
