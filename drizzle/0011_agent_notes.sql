-- What agents keep across tasks, per tenant and agent.
create table baton.agent_note (
  tenant_id uuid not null references baton.tenant,
  note_id uuid not null,
  agent text not null,
  -- The call that stored it: made again, it stores nothing more.
  source text not null,
  text text not null,
  task_id uuid not null,
  created_at timestamptz not null,
  -- Of the text, without a language: notes are in any.
  words tsvector not null,
  constraint note_size check (length(text) between 1 and 4000)
);
create index note_by_agent on baton.agent_note (tenant_id, agent, note_id);
create unique index note_source on baton.agent_note (source, agent, tenant_id);
-- It begins with what tells it apart, and comes last: docs/decisions/0007.
alter table baton.agent_note add primary key (note_id, tenant_id);

alter table baton.agent_note enable row level security;
alter table baton.agent_note force row level security;
create policy engine on baton.agent_note to baton_engine using (true) with check (true);
create policy tenant on baton.agent_note to baton_api
  using (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid);
grant select, insert, update, delete on baton.agent_note to baton_engine, baton_api;
