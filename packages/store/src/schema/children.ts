import { sql } from "drizzle-orm";
import { boolean, integer, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

export const childTask = baton.table(
  "child_task",
  {
    tenantId: uuid("tenant_id").notNull(),
    childTaskId: uuid("child_task_id").notNull(),
    parentTaskId: uuid("parent_task_id").notNull(),
    stepId: uuid("step_id").notNull(),
    callNo: integer("call_no").notNull(),
    attemptNo: integer("attempt_no").notNull(),
    agent: text("agent").notNull(),
    state: text("state").notNull().default(sql`default`),
    wanted: text("wanted"),
    budgetChanged: boolean("budget_changed").notNull().default(sql`default`),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
    endedAt: timestamp("ended_at", { withTimezone: true }),
    toldAt: timestamp("told_at", { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.childTaskId] })],
);
