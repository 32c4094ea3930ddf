-- A step that failed for a person to decide, whatever its policy is: nobody knows what its last call did.
alter table baton.task_execution_step add column held boolean not null default false;

-- What a person said about a call holds whatever arguments the next attempt brings.
alter table baton.effect add column resolved boolean not null default false;
