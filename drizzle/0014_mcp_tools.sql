-- MCP servers and their tools, as workers found them: what a process that starts no server knows of them, and what people
-- have accepted. They belong to the installation, which is its first tenant.
create table baton.mcp_server (
  tenant_id uuid not null references baton.tenant,
  server text not null,
  -- Of how it is reached: under other settings it is listed anew.
  settings_hash text not null,
  listed_at timestamptz,
  -- Why the last try to list it failed.
  problem text,
  primary key (server, tenant_id)
);

create table baton.mcp_tool (
  tenant_id uuid not null references baton.tenant,
  server text not null,
  tool text not null,
  -- False: the last list does not have it.
  offered boolean not null,
  -- Of the last list that has it: description, inputSchema, effect; and the hash over all that counts.
  definition jsonb not null,
  hash text not null,
  -- Why it can never be used.
  refusal text,
  -- What models are told and what may be called; it may when both hashes are equal.
  accepted jsonb,
  accepted_hash text,
  -- A key's id, or 'first-use'.
  accepted_by text,
  accepted_at timestamptz,
  first_seen_at timestamptz not null,
  changed_at timestamptz not null,
  constraint mcp_tool_is_accepted_whole check (
    (accepted is null) = (accepted_hash is null) and (accepted is null) = (accepted_by is null)
    and (accepted is null) = (accepted_at is null))
);
-- It begins with what tells it apart, and comes last: docs/decisions/0007.
alter table baton.mcp_tool add primary key (tool, server, tenant_id);
create index mcp_tool_by_server on baton.mcp_tool (tenant_id, server);

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array['baton.mcp_server', 'baton.mcp_tool']::regclass[] loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy engine on %s to baton_engine using (true) with check (true)', v_table);
    execute format($p$create policy tenant on %s to baton_api
      using (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)
      with check (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)$p$, v_table);
    execute format('grant select, insert, update, delete on %s to baton_engine, baton_api', v_table);
  end loop;
end $$;
