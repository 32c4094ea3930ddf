-- Agents of a tenant, by name and version.

-- put_agent(definition): the next version, or none where it says what the newest says. p_expected: the newest version as the
-- writer read it, 0 for none; null: whatever it is. Answers {answer: created | changed | unchanged | stale, version}.
-- Lock order: the name (advisory, so that two first versions wait for one another), then its rows. Index: primary key. Rows: one.
create function baton_v1.put_agent(p_tenant uuid, p_name text, p_definition jsonb, p_expected int, p_by uuid)
returns jsonb language plpgsql
as $$
declare
  v_newest record;
  v_version int;
begin
  perform pg_advisory_xact_lock(hashtextextended(p_tenant || '/' || p_name, 0));
  select version, definition, deleted_at from baton.agent where tenant_id = p_tenant and name = p_name
  order by version desc limit 1 into v_newest;
  v_version := case when v_newest.deleted_at is null then coalesce(v_newest.version, 0) else 0 end;
  if p_expected is not null and p_expected <> v_version then
    return jsonb_build_object('answer', 'stale', 'version', v_version);
  end if;
  if v_version > 0 and v_newest.definition = p_definition then
    return jsonb_build_object('answer', 'unchanged', 'version', v_version);
  end if;
  insert into baton.agent (tenant_id, name, version, definition, created_at, created_by)
  values (p_tenant, p_name, coalesce(v_newest.version, 0) + 1, p_definition, baton.clock(), p_by);
  return jsonb_build_object('answer', case when v_version = 0 then 'created' else 'changed' end, 'version', coalesce(v_newest.version, 0) + 1);
end $$;
