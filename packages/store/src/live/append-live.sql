-- append_live: keeps messages for replay and notifies followers. The n-th payload goes to the n-th topic.
-- Lock order: one advisory lock a topic, ascending, until the commit: a reader that sees a cursor has
-- seen every lower one of its topic. The clock inside the cursor keeps it rising after a crash emptied
-- the table. Index: live_message primary key. Rows: one a message.
create function baton_v1.append_live(p_topics text[], p_payloads text[])
returns void language plpgsql
as $$
declare
  v_entry record;
  v_now_us bigint;
begin
  perform pg_advisory_xact_lock(key) from (
    select distinct hashtextextended('live:' || topic, 0) as key from unnest(p_topics) as topic order by key) as keys;
  v_now_us := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
  for v_entry in
    insert into baton.live_message (topic, cursor, payload)
    select given.topic, greatest(newest.cursor, v_now_us) + given.no, given.payload
    from unnest(p_topics, p_payloads) with ordinality as given (topic, payload, no)
    cross join lateral (select coalesce(max(m.cursor), 0) as cursor from baton.live_message m where m.topic = given.topic) as newest
    order by given.no
    returning topic, cursor, payload
  loop
    perform pg_notify('baton_live', v_entry.topic || E'\n' || v_entry.cursor || E'\n' || v_entry.payload);
  end loop;
end $$;
