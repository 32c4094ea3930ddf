import { sql } from "drizzle-orm";
import { bigint, integer, jsonb, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton, transactionId } from "./baton.ts";

export const taskExecutionTrace = baton.table(
  "task_execution_trace",
  {
    tenantId: uuid("tenant_id").notNull(),
    taskId: uuid("task_id").notNull(),
    no: bigint("no", { mode: "number" }).notNull(),
    type: text("type").notNull(),
    stepId: uuid("step_id"),
    attemptNo: integer("attempt_no"),
    data: jsonb("data").notNull(),
    xactId: transactionId("xact_id").notNull().default(sql`default`),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.taskId, table.no] })],
);

export const taskCheckpoint = baton.table(
  "task_checkpoint",
  {
    tenantId: uuid("tenant_id").notNull(),
    taskId: uuid("task_id").notNull(),
    checkpointId: uuid("checkpoint_id").notNull(),
    traceNo: bigint("trace_no", { mode: "number" }).notNull(),
    settledNo: integer("settled_no").notNull(),
    stepCount: integer("step_count").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.taskId, table.checkpointId] })],
);
