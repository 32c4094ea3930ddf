-- Agents that were created over the api: each change is a version of its own, and none ever changes.
create table baton.agent (
  tenant_id uuid not null references baton.tenant,
  name text not null,
  version int not null,
  definition jsonb not null,
  created_at timestamptz not null,
  created_by uuid,
  -- Of the newest: nobody finds the agent any more, until it is written again.
  deleted_at timestamptz,
  constraint agent_version_counts check (version > 0),
  primary key (tenant_id, name, version)
);

alter table baton.agent enable row level security;
alter table baton.agent force row level security;
create policy engine on baton.agent to baton_engine using (true) with check (true);
create policy tenant on baton.agent to baton_api
  using (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid);
grant select, insert, update, delete on baton.agent to baton_engine, baton_api;
