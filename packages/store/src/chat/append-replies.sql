-- A reply that completed lands in its thread in the same transaction. The message's id is the step's. A large output
-- stands in the blob that the settle refers to.
-- Lock order: the thread row, after task and step rows. Index: primary keys. Rows: one message, its thread.
create function baton_v1.append_replies(p_ok baton_v1.settling[], p_now timestamptz)
returns void language sql
as $$
  with reply as (
    select o.tenant_id, o.task_id, o.step_id, t.thread_id, coalesce(
      case when jsonb_typeof(v.value->'parts') = 'array' then v.value->'parts' end,
      jsonb_build_array(jsonb_build_object('type', 'text', 'text', coalesce(v.value->>'text', v.value #>> '{}', '')))) as parts
    from unnest(p_ok) o
    join baton.task_execution t on t.tenant_id = o.tenant_id and t.task_id = o.task_id
    cross join lateral (select coalesce(o.output, (
      select convert_from(b.content, 'UTF8')::jsonb from baton.blob b
      where b.tenant_id = o.tenant_id and b.task_id = o.task_id and b.blob_id = o.blob_id))) as v(value)
    where o.kind = 'reply' and o.outcome = 'completed' and t.thread_id is not null
  ),
  thread as (
    update baton.chat_thread c set message_seq = c.message_seq + 1, updated_at = p_now
    from reply r where c.tenant_id = r.tenant_id and c.thread_id = r.thread_id
    returning c.tenant_id, c.thread_id, c.message_seq
  )
  insert into baton.chat_message (tenant_id, thread_id, message_no, message_id, role, parts, task_id, created_at)
  select r.tenant_id, r.thread_id, c.message_seq, r.step_id::text, 'assistant', r.parts, r.task_id, p_now
  from reply r join thread c on c.tenant_id = r.tenant_id and c.thread_id = r.thread_id
$$;
