-- Tables. Every table carries tenant_id; every key begins with it, because row-level security
-- filters by it first. Ids are UUIDv7. `*_count` columns are moved by deltas under the row's lock.
create schema if not exists baton;

-- The one source of time in SQL. Tests replace it with offset and scale.
create function baton.clock() returns timestamptz
language sql volatile parallel safe
as $$ select clock_timestamp() $$;

create function baton.uuid7() returns uuid
language sql volatile
as $$
  select encode(
    set_byte(
      set_byte(
        overlay(uuid_send(gen_random_uuid())
                placing substring(int8send((extract(epoch from baton.clock()) * 1000)::bigint) from 3)
                from 1 for 6),
        6, (get_byte(uuid_send(gen_random_uuid()), 6) & 15) | 112),
      8, (get_byte(uuid_send(gen_random_uuid()), 8) & 63) | 128),
    'hex')::uuid
$$;

create table baton.tenant (
  tenant_id uuid primary key,
  name text not null,
  created_at timestamptz not null default baton.clock()
);

create table baton.api_key (
  tenant_id uuid not null references baton.tenant,
  key_id uuid not null,
  name text not null,
  hash text not null,
  scopes text[] not null,
  created_at timestamptz not null default baton.clock(),
  revoked_at timestamptz,
  primary key (tenant_id, key_id),
  constraint api_key_hash_is_sha256 check (hash ~ '^[0-9a-f]{64}$'),
  constraint api_key_scopes_known check (scopes <@ array['read', 'write', 'admin'])
);
create unique index api_key_hash on baton.api_key (hash);

create table baton.task_execution (
  tenant_id uuid not null references baton.tenant,
  task_id uuid not null,
  kind text not null,
  goal text not null,
  input jsonb,
  settings jsonb not null,
  state text not null default 'pending',
  intent text not null default 'none',
  -- counters: one bucket per step (core/lifecycle/task-state.ts)
  pending_count int not null default 0,
  ready_count int not null default 0,
  dispatched_count int not null default 0,
  backoff_count int not null default 0,
  running_count int not null default 0,
  waiting_count int not null default 0,
  failed_count int not null default 0,
  held_count int not null default 0,
  planning_count int not null default 0,
  evaluating_count int not null default 0,
  completed_count int not null default 0,
  skipped_count int not null default 0,
  cancelled_count int not null default 0,
  system_settled_count int not null default 0,
  claimed_count bigint not null default 0,
  -- sequences of this task
  trace_no bigint not null default 0,
  step_seq int not null default 0,
  -- steps of the plan itself, without Baton's own
  user_step_count int not null default 0,
  settled_seq int not null default 0,
  revision_count int not null default 0,
  -- account
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_usd numeric,
  offline boolean not null default false,
  result_expression jsonb,
  estimated_duration_ms bigint,
  last_error jsonb,
  thread_id text,
  origin_task_id uuid,
  created_by uuid,
  order_at timestamptz not null,
  concurrency int,
  checkpoint_interval int not null,
  evaluates boolean not null default false,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (tenant_id, task_id),
  constraint task_kind_known check (kind in ('goal', 'plan', 'reply')),
  constraint task_state_known check (state in ('pending', 'planning', 'running', 'evaluating', 'waiting', 'retrying', 'blocked', 'paused', 'compensating', 'failed', 'completed', 'cancelled')),
  constraint task_intent_known check (intent in ('none', 'pause', 'cancel', 'compensate')),
  constraint task_counters_not_negative check (
    least(pending_count, ready_count, dispatched_count, backoff_count, running_count, waiting_count, failed_count,
          held_count, planning_count, evaluating_count, completed_count, skipped_count, cancelled_count, system_settled_count) >= 0),
  constraint task_settled_has_no_open_step check (
    state not in ('completed', 'cancelled')
    or pending_count + ready_count + dispatched_count + backoff_count + running_count + waiting_count
       + planning_count + evaluating_count + failed_count + held_count = 0),
  constraint task_settled_has_an_end check ((finished_at is not null) = (state in ('completed', 'cancelled', 'failed')))
) with (fillfactor = 70);
create index task_by_thread on baton.task_execution (tenant_id, thread_id) where thread_id is not null;
create index task_by_origin on baton.task_execution (tenant_id, origin_task_id) where origin_task_id is not null;
-- Task ids are UUIDv7: newest first is the primary key read backwards.
create index task_running on baton.task_execution (tenant_id, task_id) where state not in ('completed', 'cancelled', 'failed');
create index task_finished on baton.task_execution (finished_at) where finished_at is not null;

create table baton.worker_session (
  tenant_id uuid not null references baton.tenant,
  session_id uuid not null,
  role text not null,
  worker text not null,
  host text not null,
  pid int not null,
  version text not null,
  pools text[] not null,
  tools text[] not null,
  slots int not null,
  started_at timestamptz not null,
  beat_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  end_reason text,
  primary key (session_id),
  constraint session_role_known check (role in ('worker', 'api')),
  constraint session_end_has_reason check ((ended_at is null) = (end_reason is null))
);
create index session_by_tenant on baton.worker_session (tenant_id);
create index session_live on baton.worker_session (expires_at) where ended_at is null;
create index session_ended on baton.worker_session (ended_at) where ended_at is not null;

-- Outputs above 64 KB and the content of artifacts.
create table baton.blob (
  tenant_id uuid not null references baton.tenant,
  task_id uuid not null,
  blob_id uuid not null,
  content bytea not null,
  created_at timestamptz not null default baton.clock(),
  primary key (tenant_id, task_id, blob_id),
  foreign key (tenant_id, task_id) references baton.task_execution on delete cascade,
  constraint blob_size check (octet_length(content) <= 33554432)
);

create table baton.task_execution_step (
  tenant_id uuid not null,
  task_id uuid not null,
  step_id uuid not null,
  key text not null,
  position int not null,
  kind text not null,
  type text not null,
  description text not null,
  config jsonb not null,
  state text not null,
  join_n int,
  deps_open int not null default 0,
  deps_satisfied int not null default 0,
  deps_dead int not null default 0,
  reference_keys text[] not null default '{}',
  rank bigint not null default 0,
  pool text not null,
  order_at timestamptz not null,
  timeout_ms bigint not null,
  retry jsonb not null,
  on_exhausted text not null default 'fail',
  -- a map's item
  parent_step_id uuid,
  item_index int,
  item jsonb,
  -- a map that expanded
  item_count int,
  item_open int,
  item_next int,
  -- dispatch and attempts
  available_at timestamptz not null,
  backing_off boolean not null default false,
  dispatched_at timestamptz,
  dispatch_no int not null default 0,
  attempt_no int not null default 0,
  failure_count int not null default 0,
  crash_count int not null default 0,
  session_id uuid,
  claim_flush_id uuid,
  settle_flush_id uuid,
  -- outcome
  output jsonb,
  blob_id uuid,
  output_bytes int not null default 0,
  error jsonb,
  settled_no int,
  model text,
  offline boolean not null default false,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_usd numeric,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  foreign key (tenant_id, task_id) references baton.task_execution on delete cascade,
  constraint step_state_known check (state in ('pending', 'ready', 'running', 'waiting', 'failed', 'completed', 'skipped', 'cancelled')),
  constraint step_kind_known check (kind in ('user', 'plan', 'evaluate', 'reply', 'summary')),
  constraint step_policy_known check (on_exhausted in ('fail', 'hold')),
  constraint step_running_has_session check (state <> 'running' or (session_id is not null and attempt_no > 0 and started_at is not null)),
  constraint step_dispatched_is_ready check (dispatched_at is null or state = 'ready'),
  constraint step_backoff_is_ready check (not backing_off or state = 'ready'),
  constraint step_end_is_settled check ((finished_at is not null) = (state in ('failed', 'completed', 'skipped', 'cancelled'))),
  constraint step_failed_has_error check (state <> 'failed' or error is not null),
  constraint step_output_is_completed check ((output is null and blob_id is null) or state = 'completed'),
  constraint step_dependencies_not_negative check (least(deps_open, deps_satisfied, deps_dead) >= 0),
  constraint step_item_has_index check ((parent_step_id is null) = (item_index is null))
) with (fillfactor = 70);
-- Without statistics, as on a fresh installation, every index that begins with (tenant_id, task_id) costs the
-- planner the same, and the one created last is taken (docs/decisions/0007). So what is looked up by a full key
-- begins with what tells it apart, and comes after the index that lists a task's steps.
create unique index step_position on baton.task_execution_step (tenant_id, task_id, position);
create index step_items on baton.task_execution_step (tenant_id, task_id, parent_step_id, item_index) where parent_step_id is not null;
create unique index step_key on baton.task_execution_step (key, task_id, tenant_id);
alter table baton.task_execution_step add primary key (step_id, task_id, tenant_id);
create index step_to_dispatch on baton.task_execution_step (pool, order_at, rank desc) where state = 'ready' and dispatched_at is null;
create index step_dispatched on baton.task_execution_step (pool, dispatched_at) where state = 'ready' and dispatched_at is not null;
create index step_running on baton.task_execution_step (session_id) where state = 'running';

create table baton.task_execution_step_edge (
  tenant_id uuid not null,
  task_id uuid not null,
  from_step_id uuid not null,
  to_step_id uuid not null,
  condition jsonb,
  verdict text not null default 'open',
  primary key (tenant_id, task_id, from_step_id, to_step_id),
  foreign key (tenant_id, task_id, from_step_id) references baton.task_execution_step (tenant_id, task_id, step_id) on delete cascade,
  foreign key (tenant_id, task_id, to_step_id) references baton.task_execution_step (tenant_id, task_id, step_id) on delete cascade,
  constraint edge_verdict_known check (verdict in ('open', 'satisfied', 'dead'))
) with (fillfactor = 70);
create index edge_to on baton.task_execution_step_edge (to_step_id, task_id, tenant_id);

create table baton.task_execution_trace (
  tenant_id uuid not null,
  task_id uuid not null,
  no bigint not null,
  type text not null,
  step_id uuid,
  attempt_no int,
  data jsonb not null,
  -- A tenant-wide stream reads only below pg_snapshot_xmin: sequences lose late commits.
  xact_id xid8 not null default pg_current_xact_id(),
  created_at timestamptz not null,
  -- Written under the task's lock only; without a foreign key, whose check costs more than the row (docs/decisions/0015).
  primary key (tenant_id, task_id, no)
);

create table baton.task_checkpoint (
  tenant_id uuid not null,
  task_id uuid not null,
  checkpoint_id uuid not null,
  trace_no bigint not null,
  -- The context is every step with settled_no <= this: outputs never change once settled.
  settled_no int not null,
  step_count int not null,
  created_at timestamptz not null,
  primary key (tenant_id, task_id, checkpoint_id),
  foreign key (tenant_id, task_id) references baton.task_execution on delete cascade
);

create table baton.artifact (
  tenant_id uuid not null,
  task_id uuid not null,
  artifact_id uuid not null,
  step_id uuid not null,
  name text not null,
  media_type text not null,
  size_bytes bigint not null,
  sha256 text not null,
  blob_id uuid not null,
  created_at timestamptz not null,
  primary key (tenant_id, task_id, artifact_id),
  foreign key (tenant_id, task_id) references baton.task_execution on delete cascade,
  foreign key (tenant_id, task_id, blob_id) references baton.blob on delete cascade,
  foreign key (tenant_id, task_id, step_id) references baton.task_execution_step (tenant_id, task_id, step_id) on delete cascade
);
-- Writing the same content under the same name again, on another attempt, is the same artifact.
create unique index artifact_content on baton.artifact (tenant_id, task_id, step_id, name, sha256);
create index artifact_blob on baton.artifact (tenant_id, task_id, blob_id);

create table baton.effect (
  tenant_id uuid not null,
  task_id uuid not null,
  step_id uuid not null,
  call_no int not null,
  attempt_no int not null,
  tool text not null,
  effect text not null,
  arguments jsonb not null,
  arguments_hash text not null,
  idempotency_key text not null,
  state text not null,
  result jsonb,
  late boolean not null default false,
  created_at timestamptz not null,
  finished_at timestamptz,
  -- Written together with a look at its step; without a foreign key, as a trace.
  primary key (tenant_id, task_id, step_id, call_no),
  constraint effect_known check (effect in ('read', 'idempotent', 'write', 'irreversible')),
  constraint effect_state_known check (state in ('intent', 'succeeded', 'refused', 'unknown')),
  constraint effect_end_has_result check ((state in ('succeeded', 'refused')) = (result is not null))
);

create table baton.chat_thread (
  tenant_id uuid not null references baton.tenant,
  thread_id text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  message_seq int not null default 0,
  primary key (tenant_id, thread_id)
);

create table baton.chat_message (
  tenant_id uuid not null,
  thread_id text not null,
  message_no int not null,
  message_id text not null,
  role text not null,
  parts jsonb not null,
  task_id uuid,
  decision jsonb,
  created_at timestamptz not null,
  primary key (tenant_id, thread_id, message_no),
  foreign key (tenant_id, thread_id) references baton.chat_thread on delete cascade,
  constraint message_role_known check (role in ('user', 'assistant'))
);
create unique index message_id on baton.chat_message (tenant_id, thread_id, message_id);

create table baton.idempotency_key (
  tenant_id uuid not null references baton.tenant,
  route text not null,
  key text not null,
  body_hash text not null,
  task_id uuid,
  answer jsonb,
  created_at timestamptz not null,
  primary key (tenant_id, route, key)
);
create index idempotency_by_age on baton.idempotency_key (created_at);

insert into baton.tenant (tenant_id, name) values ('00000000-0000-7000-8000-000000000001', 'default');
