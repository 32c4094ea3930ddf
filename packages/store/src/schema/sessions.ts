import { integer, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

export const workerSession = baton.table(
  "worker_session",
  {
    tenantId: uuid("tenant_id").notNull(),
    sessionId: uuid("session_id").notNull(),
    role: text("role").notNull(),
    worker: text("worker").notNull(),
    host: text("host").notNull(),
    pid: integer("pid").notNull(),
    version: text("version").notNull(),
    pools: text("pools").array().notNull(),
    tools: text("tools").array().notNull(),
    slots: integer("slots").notNull(),
    startedAt: timestamp("started_at", { withTimezone: true }).notNull(),
    beatAt: timestamp("beat_at", { withTimezone: true }).notNull(),
    expiresAt: timestamp("expires_at", { withTimezone: true }).notNull(),
    endedAt: timestamp("ended_at", { withTimezone: true }),
    endReason: text("end_reason"),
  },
  (table) => [primaryKey({ columns: [table.sessionId] })],
);
