-- Edges are written in the statement that writes their steps and deleted with their task; docs/decisions/0015.
alter table baton.task_execution_step_edge
  drop constraint task_execution_step_edge_tenant_id_task_id_from_step_id_fkey,
  drop constraint task_execution_step_edge_tenant_id_task_id_to_step_id_fkey;
-- A call's result is written soon after its intent: room in the page keeps its index untouched.
alter table baton.effect set (fillfactor = 70);
