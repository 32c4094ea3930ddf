/** Turns of a thread: what waits, what is said into a running task, and the answers that tasks leave; see turns.sql. */
import type { TaskRef } from "@baton/core";
import { type Connections, type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";
import type { WireWakeUp } from "../steps/attempts.ts";

/** What became of words that were said into a task: part of its goal, or said too late for anybody to judge them. */
export type Amendment = "amended" | "late";

export async function amendGoal(
  db: Database,
  ref: TaskRef,
  { text, by }: { readonly text: string; readonly by: string },
): Promise<Amendment | undefined> {
  const rows = await rowsOf<{ answer: Amendment | null }>(
    db,
    sql`select baton_v1.amend_goal(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${text}, ${by}) as answer`,
  );
  return rows[0]?.answer ?? undefined;
}

export async function startWaitingTasks(
  { engine }: Connections,
  room: number,
): Promise<{ readonly tasks: number; readonly wakeUps: readonly WireWakeUp[] }> {
  const rows = await engine<{ started: { tasks: number; wakeUps: readonly WireWakeUp[] } }>(
    "select baton_v1.start_waiting_tasks($1) as started",
    [room],
  );
  return rows[0]?.started ?? { tasks: 0, wakeUps: [] };
}

/** Tasks that are over and have not answered in their threads. Index: message_answer_due, task primary key. */
export async function dueAnswers({ engine }: Connections, limit: number): Promise<readonly TaskRef[]> {
  return engine<{ tenantId: string; taskId: string }>(
    `select m.tenant_id as "tenantId", m.task_id as "taskId" from baton.chat_message m
     join baton.task_execution t on t.tenant_id = m.tenant_id and t.task_id = m.task_id
     where m.answer_due and t.state in ('completed', 'cancelled') limit $1`,
    [limit],
  );
}

/**
 * Puts the answer into the message that waits for it, once. Lock order: the message row. Index: message_answer_due.
 * Rows: one.
 */
export async function landAnswer(db: Database, ref: TaskRef, parts: readonly unknown[]): Promise<boolean> {
  const rows = await rowsOf(
    db,
    sql`update baton.chat_message set parts = parts || ${JSON.stringify(parts)}::jsonb, answer_due = false
        where tenant_id = ${ref.tenantId}::uuid and task_id = ${ref.taskId}::uuid and answer_due returning message_no`,
  );
  return rows.length > 0;
}

/** Index: thread primary key. */
export async function threadExists(db: Database, tenantId: string, threadId: string): Promise<boolean> {
  const rows = await rowsOf<{ found: boolean }>(
    db,
    sql`select exists (select from baton.chat_thread where tenant_id = ${tenantId} and thread_id = ${threadId}) as found`,
  );
  return rows[0]?.found === true;
}
