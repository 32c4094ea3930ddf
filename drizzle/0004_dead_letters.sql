-- Steps that are out of attempts, of one task and of a tenant: a handful among millions of rows.
create index step_failed on baton.task_execution_step (tenant_id, task_id, step_id) where state = 'failed';
