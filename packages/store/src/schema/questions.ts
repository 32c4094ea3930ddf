import { sql } from "drizzle-orm";
import { integer, jsonb, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

export const question = baton.table(
  "question",
  {
    tenantId: uuid("tenant_id").notNull(),
    questionId: uuid("question_id").notNull(),
    taskId: uuid("task_id").notNull(),
    stepId: uuid("step_id").notNull(),
    callNo: integer("call_no").notNull(),
    attemptNo: integer("attempt_no").notNull(),
    kind: text("kind").notNull(),
    state: text("state").notNull().default(sql`default`),
    subject: jsonb("subject").notNull(),
    approvers: text("approvers").array().notNull().default(sql`default`),
    quorum: integer("quorum").notNull().default(sql`default`),
    votes: jsonb("votes").notNull().default(sql`default`),
    answer: jsonb("answer"),
    reason: text("reason"),
    closedBy: text("closed_by"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
    expiresAt: timestamp("expires_at", { withTimezone: true }),
    closedAt: timestamp("closed_at", { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.questionId] })],
);
