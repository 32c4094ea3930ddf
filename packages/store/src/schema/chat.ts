import { sql } from "drizzle-orm";
import { boolean, integer, jsonb, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

export const chatThread = baton.table(
  "chat_thread",
  {
    tenantId: uuid("tenant_id").notNull(),
    threadId: text("thread_id").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
    updatedAt: timestamp("updated_at", { withTimezone: true }).notNull(),
    messageSeq: integer("message_seq").notNull().default(sql`default`),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.threadId] })],
);

export const chatMessage = baton.table(
  "chat_message",
  {
    tenantId: uuid("tenant_id").notNull(),
    threadId: text("thread_id").notNull(),
    messageNo: integer("message_no").notNull(),
    messageId: text("message_id").notNull(),
    role: text("role").notNull(),
    parts: jsonb("parts").notNull(),
    taskId: uuid("task_id"),
    decision: jsonb("decision"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
    answerDue: boolean("answer_due").notNull().default(sql`default`),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.threadId, table.messageNo] })],
);
