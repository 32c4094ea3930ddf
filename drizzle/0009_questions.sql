-- What steps ask people, and wait for without a worker: questions of agents, and calls that need an approval.
create table baton.question (
  tenant_id uuid not null,
  question_id uuid not null,
  task_id uuid not null,
  step_id uuid not null,
  -- The call of the step that it is about; asked again, a call has several.
  call_no int not null,
  attempt_no int not null,
  kind text not null,
  state text not null default 'open',
  subject jsonb not null,
  approvers text[] not null default '{}',
  quorum int not null default 1,
  -- [{by, at, arguments}]: approvals of the same arguments
  votes jsonb not null default '[]',
  answer jsonb,
  reason text,
  closed_by text,
  created_at timestamptz not null,
  expires_at timestamptz,
  closed_at timestamptz,
  primary key (tenant_id, question_id),
  foreign key (tenant_id, task_id) references baton.task_execution on delete cascade,
  constraint question_kind_known check (kind in ('question', 'approval')),
  constraint question_state_known check (state in ('open', 'answered', 'approved', 'rejected', 'expired', 'withdrawn')),
  constraint question_end_is_closed check ((closed_at is null) = (state = 'open')),
  constraint question_kind_fits check (state not in ('answered', 'approved', 'rejected') or (kind = 'question') = (state = 'answered'))
);
create index question_by_step on baton.question (tenant_id, task_id, step_id, call_no);
create index question_open on baton.question (tenant_id, question_id) where state = 'open';
create index question_to_expire on baton.question (expires_at) where state = 'open' and expires_at is not null;

alter table baton.question enable row level security;
alter table baton.question force row level security;
create policy engine on baton.question to baton_engine using (true) with check (true);
create policy tenant on baton.question to baton_api
  using (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid);
grant select, insert, update, delete on baton.question to baton_engine, baton_api;
