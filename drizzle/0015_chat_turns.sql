-- A message whose task has not answered in it yet.
alter table baton.chat_message add column answer_due boolean not null default false;
create index message_answer_due on baton.chat_message (task_id, tenant_id) where answer_due;

-- A task that was created behind others of its thread: it is paused until they are over.
alter table baton.task_execution add column waits_in_thread boolean not null default false;
create index task_waiting_in_thread on baton.task_execution (task_id, tenant_id) where waits_in_thread;
