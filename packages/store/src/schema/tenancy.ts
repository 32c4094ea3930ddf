import { sql } from "drizzle-orm";
import { primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

export const tenant = baton.table("tenant", {
  tenantId: uuid("tenant_id").notNull().primaryKey(),
  name: text("name").notNull(),
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`default`),
});

export const apiKey = baton.table(
  "api_key",
  {
    tenantId: uuid("tenant_id").notNull(),
    keyId: uuid("key_id").notNull(),
    name: text("name").notNull(),
    hash: text("hash").notNull(),
    scopes: text("scopes").array().notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`default`),
    revokedAt: timestamp("revoked_at", { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.keyId] })],
);
