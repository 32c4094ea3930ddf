/** Threads and their messages. */
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";

export interface NewMessage {
  readonly tenantId: string;
  readonly threadId: string;
  readonly messageId: string;
  readonly role: "user" | "assistant";
  readonly parts: readonly unknown[];
  readonly taskId?: string;
  readonly decision?: unknown;
  /** What the task comes to lands in this message, and in no earlier one. */
  readonly answerDue?: boolean;
}

export interface MessageRow {
  readonly messageId: string;
  readonly role: "user" | "assistant";
  readonly parts: readonly unknown[];
  readonly taskId: string | undefined;
  readonly createdAt: number;
}

/** Repeating a message id changes nothing. Lock order: the thread row. Index: primary keys, message_answer_due. Rows: two. */
export async function appendMessage(db: Database, message: NewMessage): Promise<void> {
  await db.execute(sql`
    with known as (select from baton.chat_message where tenant_id = ${message.tenantId} and thread_id = ${message.threadId} and message_id = ${message.messageId}),
    thread as (
      insert into baton.chat_thread (tenant_id, thread_id, created_at, updated_at, message_seq)
      select ${message.tenantId}::uuid, ${message.threadId}::text, baton.clock(), baton.clock(), 1 where not exists (select from known)
      on conflict (tenant_id, thread_id) do update set message_seq = baton.chat_thread.message_seq + 1, updated_at = excluded.updated_at
      returning message_seq),
    earlier as (
      update baton.chat_message set answer_due = false
      where ${message.answerDue ?? false}::boolean and tenant_id = ${message.tenantId} and task_id = ${message.taskId ?? null}::uuid and answer_due
        and not exists (select from known))
    insert into baton.chat_message (tenant_id, thread_id, message_no, message_id, role, parts, task_id, decision, created_at, answer_due)
    select ${message.tenantId}::uuid, ${message.threadId}::text, message_seq, ${message.messageId}, ${message.role},
      ${JSON.stringify(message.parts)}::jsonb, ${message.taskId ?? null}::uuid,
      ${message.decision === undefined ? null : JSON.stringify(message.decision)}::jsonb, baton.clock(),
      ${message.answerDue ?? false}::boolean
    from thread`);
}

/** The last `limit` messages, oldest first. Index: chat_message primary key. */
export async function listMessages(
  db: Database,
  tenantId: string,
  threadId: string,
  limit: number,
): Promise<readonly MessageRow[]> {
  const rows = await rowsOf<MessageRow & { taskId: string | null }>(
    db,
    sql`select * from (
          select message_no, message_id as "messageId", role, parts, task_id as "taskId", (extract(epoch from created_at) * 1000)::float8 as "createdAt"
          from baton.chat_message where tenant_id = ${tenantId} and thread_id = ${threadId} order by message_no desc limit ${limit}) newest
        order by message_no`,
  );
  return rows.map(({ messageId, role, parts, taskId, createdAt }) => ({
    messageId,
    role,
    parts,
    taskId: taskId ?? undefined,
    createdAt,
  }));
}
