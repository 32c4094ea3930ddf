-- What may be spent, by whom: caps, what is settled, and what calls under way may still cost. A tenant's day has its
-- caps in the row without a day, its figures in the row of the day (UTC).
create table baton.budget (
  tenant_id uuid not null references baton.tenant,
  scope text not null,
  scope_id text not null,
  cap_tokens bigint,
  cap_usd numeric,
  cap_model_calls bigint,
  cap_tool_calls bigint,
  cap_wall_ms bigint,
  settled_tokens bigint not null default 0,
  settled_usd numeric not null default 0,
  settled_model_calls bigint not null default 0,
  settled_tool_calls bigint not null default 0,
  reserved_tokens bigint not null default 0,
  reserved_usd numeric not null default 0,
  reserved_model_calls bigint not null default 0,
  overrun_tokens bigint not null default 0,
  overrun_usd numeric not null default 0,
  -- Of the task: its wall clock counts from here.
  began_at timestamptz,
  caps_changed_at timestamptz,
  updated_at timestamptz not null,
  primary key (tenant_id, scope, scope_id),
  constraint budget_scope_known check (scope in ('task', 'tenant', 'tenant-day')),
  constraint budget_reserved_not_negative check (least(reserved_tokens, reserved_usd, reserved_model_calls) >= 0),
  constraint budget_settled_not_negative check (least(settled_tokens, settled_usd, settled_model_calls, settled_tool_calls) >= 0),
  constraint budget_wall_clock_is_a_tasks check (cap_wall_ms is null or scope = 'task')
) with (fillfactor = 50);

-- One call of a model or a tool: what was reserved for it, and what became of that.
create table baton.reservation (
  tenant_id uuid not null,
  reservation_id uuid not null,
  -- Without them: a call that decides what a message becomes, before there is a task.
  task_id uuid,
  step_id uuid,
  attempt_no int,
  -- The task whose budget counts it: the root of its tree.
  root_task_id uuid,
  day date not null,
  kind text not null,
  provider text,
  model text,
  offline boolean not null,
  state text not null,
  reserved_tokens bigint not null,
  reserved_usd numeric not null,
  capped boolean not null,
  input_tokens bigint,
  output_tokens bigint,
  cost_usd numeric,
  estimated boolean not null default false,
  -- False where the model has no price.
  priced boolean not null,
  created_at timestamptz not null,
  settled_at timestamptz,
  -- Without a foreign key, as a trace.
  constraint reservation_is_of_an_attempt_or_none check (num_nulls(task_id, step_id, attempt_no, root_task_id) in (0, 4)),
  constraint reservation_kind_known check (kind in ('model', 'tool')),
  constraint reservation_state_known check (state in ('open', 'settled', 'lost', 'void')),
  constraint reservation_end_is_settled check ((state = 'open') = (settled_at is null)),
  constraint reservation_model_is_named check ((kind = 'model') = (model is not null and provider is not null))
) with (fillfactor = 70);
create index reservation_open on baton.reservation (created_at) where state = 'open';
create index reservation_by_task on baton.reservation (task_id, tenant_id);
create index reservation_before_task on baton.reservation (created_at) where task_id is null;
-- Partial, so that no look-up by the full key can take it, which also names the tenant: docs/decisions/0007. (It did, and a
-- flush of 100 took 770 ms after 10,000 calls, instead of 35.)
create index reservation_by_day on baton.reservation (tenant_id, day) where kind = 'model' and state <> 'open';
alter table baton.reservation add primary key (reservation_id, tenant_id);

-- What calls of models have cost, by day and model: it outlives the tasks.
create table baton.spending (
  tenant_id uuid not null references baton.tenant,
  day date not null,
  provider text not null,
  model text not null,
  calls bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cost_usd numeric not null,
  -- Of the calls: figures estimated here, charged at their upper bound, without a price.
  estimated_calls bigint not null,
  lost_calls bigint not null,
  unpriced_calls bigint not null,
  overrun_tokens bigint not null,
  overrun_usd numeric not null,
  primary key (tenant_id, day, provider, model)
) with (fillfactor = 50);

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array['baton.budget', 'baton.reservation', 'baton.spending']::regclass[] loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy engine on %s to baton_engine using (true) with check (true)', v_table);
    execute format($p$create policy tenant on %s to baton_api
      using (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)
      with check (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)$p$, v_table);
    execute format('grant select, insert, update, delete on %s to baton_engine, baton_api', v_table);
  end loop;
end $$;
