-- Replay of the live channel where Redis is absent: lossy by contract, so unlogged. No tenant's row is
-- reachable without the topic, and topics are only handed out after the task was found under its tenant.
create unlogged table baton.live_message (
  tenant_id uuid not null default '00000000-0000-7000-8000-000000000001',
  topic text not null,
  cursor bigint not null,
  payload text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (topic, cursor)
);
create index live_message_by_age on baton.live_message (created_at);

-- Times of the latest acquisitions per key, newest last: the limiter of model calls without Redis.
create unlogged table baton.rate_limit (
  tenant_id uuid not null default '00000000-0000-7000-8000-000000000001',
  key text not null,
  acquired_at timestamptz[] not null,
  primary key (key)
);

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array['baton.live_message', 'baton.rate_limit']::regclass[] loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy engine on %s to baton_engine using (true) with check (true)', v_table);
    execute format('grant select, insert, update, delete on %s to baton_engine', v_table);
  end loop;
end $$;
