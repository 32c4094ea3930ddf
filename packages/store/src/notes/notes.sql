-- What agents keep across tasks.

-- store_note(note): the same call again stores nothing more. The oldest notes of the agent make room; answers how many did.
-- Lock order: note rows. Index: note_source, note_by_agent. Rows: one, and those that make room.
create function baton_v1.store_note(p_tenant uuid, p_agent text, p_note uuid, p_source text, p_text text, p_task uuid, p_most int)
returns int language plpgsql
as $$
declare
  v_removed int;
begin
  insert into baton.agent_note (tenant_id, note_id, agent, source, text, words, task_id, created_at)
  values (p_tenant, p_note, p_agent, p_source, p_text, to_tsvector('simple', p_text), p_task, baton.clock())
  on conflict (source, agent, tenant_id) do nothing;
  delete from baton.agent_note n where n.tenant_id = p_tenant and n.note_id in (
    select note_id from baton.agent_note o where o.tenant_id = p_tenant and o.agent = p_agent
    order by note_id desc offset p_most for update skip locked);
  get diagnostics v_removed = row_count;
  return v_removed;
end $$;

-- search_notes(query): those that have most of its words, or words that begin like them; without words, the newest.
-- Index: note_by_agent. Rows: the agent's notes, which are few.
create function baton_v1.search_notes(p_tenant uuid, p_agent text, p_query text, p_limit int)
returns table ("noteId" uuid, text text, "taskId" uuid, "createdAt" float8) language sql stable
as $$
  with asked as (
    select to_tsquery('simple', string_agg(quote_literal(lexeme) || ':*', ' | ')) as words, count(*) as n
    from unnest(to_tsvector('simple', p_query))
  )
  select n.note_id, n.text, n.task_id, (extract(epoch from n.created_at) * 1000)::float8
  from baton.agent_note n cross join asked a
  where n.tenant_id = p_tenant and n.agent = p_agent and (a.n = 0 or n.words @@ a.words)
  order by case when a.n = 0 then 0 else ts_rank(n.words, a.words) end desc, n.note_id desc
  limit p_limit
$$;
