-- Tasks that a step of another task starts and waits for. They count in the budget of the task at the top of their tree.
alter table baton.task_execution
  add column parent_task_id uuid,
  add column root_task_id uuid,
  add column depth smallint not null default 0,
  -- Tasks from before have no parent.
  add constraint task_of_a_tree_names_its_root check ((parent_task_id is null) = (root_task_id is null) and (parent_task_id is null) = (depth = 0)) not valid;

create table baton.child_task (
  tenant_id uuid not null,
  child_task_id uuid not null,
  parent_task_id uuid not null,
  step_id uuid not null,
  -- The call of the step that the child answers.
  call_no int not null,
  attempt_no int not null,
  agent text not null,
  state text not null default 'open',
  -- What people want of the parent, and the child does not do yet.
  wanted text,
  -- What the tree may spend was changed: what the child holds for it goes on.
  budget_changed boolean not null default false,
  created_at timestamptz not null,
  ended_at timestamptz,
  -- When the parent was told of the end.
  told_at timestamptz,
  primary key (tenant_id, child_task_id),
  foreign key (tenant_id, parent_task_id) references baton.task_execution on delete cascade,
  constraint child_state_known check (state in ('open', 'completed', 'failed', 'cancelled')),
  constraint child_wanted_known check (wanted in ('cancel', 'pause', 'resume')),
  constraint child_end_has_a_time check ((state = 'open') = (ended_at is null)),
  constraint child_is_told_after_its_end check (told_at is null or ended_at is not null)
);
create unique index child_by_step on baton.child_task (tenant_id, parent_task_id, step_id, call_no);
create index child_to_tell on baton.child_task (ended_at) where state <> 'open' and told_at is null;
create index child_to_follow on baton.child_task (created_at) where wanted is not null or budget_changed;

alter table baton.child_task enable row level security;
alter table baton.child_task force row level security;
create policy engine on baton.child_task to baton_engine using (true) with check (true);
create policy tenant on baton.child_task to baton_api
  using (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid);
grant select, insert, update, delete on baton.child_task to baton_engine, baton_api;

-- Whatever verb ends a child, its row says so: no verb locks the parent for it.
create function baton.note_end_of_child() returns trigger language plpgsql
as $$
begin
  update baton.child_task set state = new.state, ended_at = baton.clock()
  where tenant_id = new.tenant_id and child_task_id = new.task_id and told_at is null;
  return null;
end $$;
create trigger end_of_child after update of state on baton.task_execution for each row
  when (new.parent_task_id is not null and new.state in ('completed', 'failed', 'cancelled') and new.state <> old.state)
  execute function baton.note_end_of_child();
