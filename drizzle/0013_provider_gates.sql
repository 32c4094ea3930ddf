-- One gate a provider's model, for every process of the installation; see baton_v1.admit_calls. Unlogged: what is
-- forgotten in a crash of the server, the next calls find out.
create unlogged table baton.provider_gate (
  tenant_id uuid not null default '00000000-0000-7000-8000-000000000001',
  key text not null,
  -- Calls so far, and what they were admitted with per kind of limit: requests, input, output, tokens.
  call_no bigint not null default 0,
  admitted float8[] not null default '{0,0,0,0}',
  -- The first call ever, and the first head of an answer: until then nobody knows of limits.
  called_at timestamptz,
  heard_at timestamptz,
  -- The limits as the provider told them with the answer to the call limits_no; rates are per millisecond.
  limits_no bigint not null default 0,
  limits_at timestamptz,
  limits float8[] not null default '{NULL,NULL,NULL,NULL}',
  remaining float8[] not null default '{NULL,NULL,NULL,NULL}',
  rates float8[] not null default '{NULL,NULL,NULL,NULL}',
  -- The breaker. Reports of calls up to since_no say nothing about its present state.
  since_no bigint not null default 0,
  failure_count int not null default 0,
  failed_at timestamptz,
  opened_at timestamptz,
  probe_at timestamptz,
  problem text,
  -- Until when the provider has asked to be spared, and how often in a row.
  spared_until timestamptz,
  throttle_count int not null default 0,
  -- Calls a second while all is well.
  normal_rate float8,
  window_at timestamptz,
  window_count int not null default 0,
  -- Coming back: since when, when the next call may go, and when one had to wait for that.
  ramp_at timestamptz,
  next_at timestamptz,
  ramp_waited_at timestamptz,
  -- When the last of those who wait asks again.
  queue_at timestamptz,
  primary key (key)
);
alter table baton.provider_gate enable row level security;
alter table baton.provider_gate force row level security;
create policy engine on baton.provider_gate to baton_engine using (true) with check (true);
grant select, insert, update, delete on baton.provider_gate to baton_engine;

-- Of the input tokens: read from the provider's cache, and written to it.
alter table baton.reservation add column cached_tokens bigint, add column cache_write_tokens bigint;
alter table baton.spending add column cached_tokens bigint not null default 0, add column cache_write_tokens bigint not null default 0;
