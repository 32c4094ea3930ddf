import { sql } from "drizzle-orm";
import { boolean, integer, jsonb, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

export const effect = baton.table(
  "effect",
  {
    tenantId: uuid("tenant_id").notNull(),
    taskId: uuid("task_id").notNull(),
    stepId: uuid("step_id").notNull(),
    callNo: integer("call_no").notNull(),
    attemptNo: integer("attempt_no").notNull(),
    tool: text("tool").notNull(),
    effect: text("effect").notNull(),
    arguments: jsonb("arguments").notNull(),
    argumentsHash: text("arguments_hash").notNull(),
    idempotencyKey: text("idempotency_key").notNull(),
    state: text("state").notNull(),
    result: jsonb("result"),
    late: boolean("late").notNull().default(sql`default`),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
    finishedAt: timestamp("finished_at", { withTimezone: true }),
    resolved: boolean("resolved").notNull().default(sql`default`),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.taskId, table.stepId, table.callNo] })],
);
