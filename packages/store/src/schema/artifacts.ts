import { sql } from "drizzle-orm";
import { bigint, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton, bytes } from "./baton.ts";

export const artifact = baton.table(
  "artifact",
  {
    tenantId: uuid("tenant_id").notNull(),
    taskId: uuid("task_id").notNull(),
    artifactId: uuid("artifact_id").notNull(),
    stepId: uuid("step_id").notNull(),
    name: text("name").notNull(),
    mediaType: text("media_type").notNull(),
    sizeBytes: bigint("size_bytes", { mode: "number" }).notNull(),
    sha256: text("sha256").notNull(),
    blobId: uuid("blob_id").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.taskId, table.artifactId] })],
);

export const blob = baton.table(
  "blob",
  {
    tenantId: uuid("tenant_id").notNull(),
    taskId: uuid("task_id").notNull(),
    blobId: uuid("blob_id").notNull(),
    content: bytes("content").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`default`),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.taskId, table.blobId] })],
);
