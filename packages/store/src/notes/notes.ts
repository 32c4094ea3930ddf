/** What agents keep across tasks; see notes.sql. */
import type { StepRef } from "@baton/core";
import { type AgentNote, noteLimits } from "@baton/core/agent";
import { type Connections, type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";

export async function storeNote(
  { engine }: Connections,
  ref: StepRef,
  note: { readonly agent: string; readonly noteId: string; readonly source: string; readonly text: string },
): Promise<{ readonly removed: number }> {
  const rows = await engine<{ removed: number }>("select baton_v1.store_note($1, $2, $3, $4, $5, $6, $7) as removed", [
    ref.tenantId,
    note.agent,
    note.noteId,
    note.source,
    note.text,
    ref.taskId,
    noteLimits.notes,
  ]);
  return { removed: rows[0]?.removed ?? 0 };
}

export async function searchNotes(
  { engine }: Connections,
  tenantId: string,
  agent: string,
  query: string,
): Promise<readonly AgentNote[]> {
  return await engine<AgentNote>("select * from baton_v1.search_notes($1, $2, $3, $4)", [
    tenantId,
    agent,
    query,
    noteLimits.found,
  ]);
}

/** Newest first. Index: note_by_agent. */
export async function listNotes(
  db: Database,
  { tenantId, agent, before, limit }: { tenantId: string; agent: string; before?: string | undefined; limit: number },
): Promise<readonly AgentNote[]> {
  return await rowsOf<AgentNote>(
    db,
    sql`select note_id as "noteId", text, task_id as "taskId", (extract(epoch from created_at) * 1000)::float8 as "createdAt"
        from baton.agent_note where tenant_id = ${tenantId}::uuid and agent = ${agent}
          and ${before === undefined ? sql`true` : sql`note_id < ${before}::uuid`}
        order by note_id desc limit ${limit}`,
  );
}

export async function deleteNote(db: Database, tenantId: string, agent: string, noteId: string): Promise<boolean> {
  const rows = await rowsOf<{ noteId: string }>(
    db,
    sql`delete from baton.agent_note where tenant_id = ${tenantId}::uuid and agent = ${agent} and note_id = ${noteId}::uuid
        returning note_id as "noteId"`,
  );
  return rows.length > 0;
}
