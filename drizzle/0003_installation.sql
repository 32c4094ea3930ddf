-- What belongs to the installation as a whole, one row: the value that its api processes derive their signatures from,
-- however each of them spells the database's URL. The first process that asks makes it.
create table baton.installation (
  tenant_id uuid not null default '00000000-0000-7000-8000-000000000001',
  is_only boolean not null default true,
  secret bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (is_only),
  constraint installation_is_one_row check (is_only),
  constraint installation_secret_is_long check (length(secret) >= 32)
);

alter table baton.installation enable row level security;
alter table baton.installation force row level security;
create policy engine on baton.installation to baton_engine using (true) with check (true);
grant select, insert on baton.installation to baton_engine;
