-- What a client calls inside a transaction of its own, on the same database. The schema outlives every version of the
-- verbs, so that its one grant does too: `grant usage on schema baton_client to <role>`. Its functions run as baton_api
-- with the tenant of an API key (packages/store/src/tasks/create-task-in-transaction.sql).
create schema baton_client;

-- What the api processes add to the settings that a task names: the values of the one that started last.
alter table baton.installation add column task_defaults jsonb not null default '{}';
grant update (task_defaults) on baton.installation to baton_engine;
