-- What workers find of MCP servers.

-- record_mcp_listing(server, tools): a tool that is seen for the first time counts as accepted, unless it is refused; one
-- that differs from what was accepted stays as it was accepted, and waits. Answers how many are new and how many changed.
-- Lock order: the server's row, then tool rows by name. Index: primary keys, mcp_tool_by_server. Rows: the server's tools.
create function baton_v1.record_mcp_listing(p_tenant uuid, p_server text, p_settings text, p_tools jsonb)
returns table (added int, changed int) language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
begin
  insert into baton.mcp_server (tenant_id, server, settings_hash, listed_at)
  values (p_tenant, p_server, p_settings, v_now)
  on conflict (server, tenant_id) do update
    set settings_hash = excluded.settings_hash, listed_at = excluded.listed_at, problem = null;
  perform 1 from baton.mcp_tool t
  where t.tenant_id = p_tenant and t.server = p_server order by t.tool for no key update;

  with listed as (
    select l.name, l.definition, l.hash, l.refusal
    from jsonb_to_recordset(p_tools) as l(name text, definition jsonb, hash text, refusal text)
  ), updated as (
    update baton.mcp_tool t
    set offered = true, definition = l.definition, hash = l.hash, refusal = l.refusal, changed_at = v_now
    from listed l
    where t.tool = l.name and t.server = p_server and t.tenant_id = p_tenant
      and (not t.offered or t.hash <> l.hash or t.refusal is distinct from l.refusal)
    returning t.tool
  ), inserted as (
    insert into baton.mcp_tool (tenant_id, server, tool, offered, definition, hash, refusal, accepted, accepted_hash,
      accepted_by, accepted_at, first_seen_at, changed_at)
    select p_tenant, p_server, l.name, true, l.definition, l.hash, l.refusal,
      case when l.refusal is null then l.definition end, case when l.refusal is null then l.hash end,
      case when l.refusal is null then 'first-use' end, case when l.refusal is null then v_now end, v_now, v_now
    from listed l order by l.name
    on conflict (tool, server, tenant_id) do nothing
    returning tool
  )
  select (select count(*) from inserted), (select count(*) from updated) into added, changed;

  update baton.mcp_tool t set offered = false, changed_at = v_now
  where t.tenant_id = p_tenant and t.server = p_server and t.offered
    and not exists (select from jsonb_to_recordset(p_tools) as l(name text) where l.name = t.tool);
  return next;
end $$;

-- record_mcp_problem(server): why it could not be listed. Lock order: the server's row. Index: primary key. Rows: one.
create function baton_v1.record_mcp_problem(p_tenant uuid, p_server text, p_settings text, p_problem text)
returns void language sql
as $$
  insert into baton.mcp_server (tenant_id, server, settings_hash, problem)
  values (p_tenant, p_server, p_settings, p_problem)
  on conflict (server, tenant_id) do update set problem = excluded.problem
$$;
