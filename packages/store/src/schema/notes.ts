import { customType, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

const tsvector = customType<{ data: string }>({ dataType: () => "tsvector" });

export const agentNote = baton.table(
  "agent_note",
  {
    tenantId: uuid("tenant_id").notNull(),
    noteId: uuid("note_id").notNull(),
    agent: text("agent").notNull(),
    source: text("source").notNull(),
    text: text("text").notNull(),
    taskId: uuid("task_id").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
    words: tsvector("words").notNull(),
  },
  (table) => [primaryKey({ columns: [table.noteId, table.tenantId] })],
);
