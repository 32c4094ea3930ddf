import { jsonb, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

export const idempotencyKey = baton.table(
  "idempotency_key",
  {
    tenantId: uuid("tenant_id").notNull(),
    route: text("route").notNull(),
    key: text("key").notNull(),
    bodyHash: text("body_hash").notNull(),
    taskId: uuid("task_id"),
    answer: jsonb("answer"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
    holder: uuid("holder"),
    sessionId: uuid("session_id"),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.route, table.key] })],
);
