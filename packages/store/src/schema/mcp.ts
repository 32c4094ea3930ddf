import { boolean, jsonb, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

export const mcpServer = baton.table(
  "mcp_server",
  {
    tenantId: uuid("tenant_id").notNull(),
    server: text("server").notNull(),
    settingsHash: text("settings_hash").notNull(),
    listedAt: timestamp("listed_at", { withTimezone: true }),
    problem: text("problem"),
  },
  (table) => [primaryKey({ columns: [table.server, table.tenantId] })],
);

export const mcpTool = baton.table(
  "mcp_tool",
  {
    tenantId: uuid("tenant_id").notNull(),
    server: text("server").notNull(),
    tool: text("tool").notNull(),
    offered: boolean("offered").notNull(),
    definition: jsonb("definition").notNull(),
    hash: text("hash").notNull(),
    refusal: text("refusal"),
    accepted: jsonb("accepted"),
    acceptedHash: text("accepted_hash"),
    acceptedBy: text("accepted_by"),
    acceptedAt: timestamp("accepted_at", { withTimezone: true }),
    firstSeenAt: timestamp("first_seen_at", { withTimezone: true }).notNull(),
    changedAt: timestamp("changed_at", { withTimezone: true }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.tool, table.server, table.tenantId] })],
);
