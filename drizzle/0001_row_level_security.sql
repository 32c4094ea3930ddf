-- Two roles, neither superuser nor owner: baton_engine (workers, housekeeping) sees every tenant,
-- baton_api sees the tenant its transaction names. FORCE binds the owner as well.
do $$
begin
  if not exists (select from pg_roles where rolname = 'baton_engine') then create role baton_engine nologin; end if;
  if not exists (select from pg_roles where rolname = 'baton_api') then create role baton_api nologin; end if;
exception
  when insufficient_privilege then
    raise exception 'the roles baton_engine and baton_api are missing and % may not create them', current_user
      using hint = format('As a superuser: create role baton_engine nologin; create role baton_api nologin; grant baton_engine, baton_api to %I;', current_user);
  when duplicate_object or unique_violation then null; -- another database of this cluster is being migrated too
end $$;

-- Membership alone is not enough from PostgreSQL 16 on: the user must be able to SET ROLE.
do $$
declare
  v_user text := current_user;
begin
  set local role baton_engine;
  set local role baton_api;
  reset role;
exception
  when insufficient_privilege then
    reset role;
    begin
      execute format('grant baton_engine, baton_api to %I', v_user);
    exception
      when insufficient_privilege then
        raise exception '% may not act as the roles baton_engine and baton_api', v_user
          using hint = format('As a superuser: grant baton_engine, baton_api to %I;', v_user);
    end;
end $$;

grant usage on schema baton to baton_engine, baton_api;
grant select, insert, update, delete on all tables in schema baton to baton_engine;
grant select, insert, update, delete on
  baton.task_execution, baton.task_execution_step, baton.task_execution_step_edge, baton.task_execution_trace,
  baton.task_checkpoint, baton.artifact, baton.blob, baton.effect, baton.chat_thread, baton.chat_message,
  baton.idempotency_key, baton.api_key to baton_api;
grant select on baton.tenant, baton.worker_session to baton_api;

do $$
declare
  v_table regclass;
begin
  for v_table in
    select c.oid::regclass from pg_class c where c.relnamespace = 'baton'::regnamespace and c.relkind = 'r'
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy engine on %s to baton_engine using (true) with check (true)', v_table);
    if v_table <> 'baton.worker_session'::regclass then
      execute format($p$create policy tenant on %s to baton_api
        using (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)
        with check (tenant_id = nullif(current_setting('baton.tenant_id', true), '')::uuid)$p$, v_table);
    end if;
  end loop;
end $$;

-- Sessions belong to the installation: which pools are served is no tenant's secret.
create policy sessions on baton.worker_session for select to baton_api using (true);

