/** What people want of a task; see intents.sql. */
import type { TaskRef } from "@baton/core";
import type { IntentAnswer } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { type SQL, sql } from "../connection/sql.ts";

async function answerOf(db: Database, call: SQL): Promise<IntentAnswer | undefined> {
  const rows = await rowsOf<{ answer: IntentAnswer | null }>(db, sql`select ${call} as answer`);
  return rows[0]?.answer ?? undefined;
}

export const cancelTask = (db: Database, ref: TaskRef, by: { readonly by?: string; readonly reason?: string }) =>
  answerOf(
    db,
    sql`baton_v1.cancel_task(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${by.by ?? null}, ${by.reason ?? null})`,
  );

export const pauseTask = (db: Database, ref: TaskRef, by?: string, reason?: string) =>
  answerOf(db, sql`baton_v1.pause_task(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${by ?? null}, ${reason ?? null})`);

export const resumeTask = (db: Database, ref: TaskRef, by?: string, reason?: string) =>
  answerOf(db, sql`baton_v1.resume_task(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${by ?? null}, ${reason ?? null})`);

export const retryTask = (db: Database, ref: TaskRef, by?: string, reason?: string) =>
  answerOf(db, sql`baton_v1.retry_task(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${by ?? null}, ${reason ?? null})`);
