/** The code of the routes about agents: what they keep across tasks. */
import type { ApiDeps } from "../deps.ts";
import type { Cursors } from "../request/cursor.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { notFound } from "../tasks/code.ts";
import { iso } from "../tasks/wire.ts";

async function list(deps: ApiDeps, cursors: Cursors, { principal, params, query }: Call<"listAgentNotes">) {
  const { tenantId } = principal;
  const scope = ["notes", tenantId, params.name];
  const before = query.cursor === undefined ? undefined : (cursors.open(scope, query.cursor) as string);
  const rows = await deps.store.listNotes({ tenantId, agent: params.name, before, limit: query.limit + 1 });
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  const nextCursor = rows.length > query.limit && last !== undefined ? cursors.seal(scope, last.noteId) : null;
  const notes = page.map(({ noteId: id, text, taskId, createdAt }) => ({
    id,
    text,
    taskId,
    createdAt: iso(createdAt),
  }));
  return { status: 200 as const, body: { notes, nextCursor } };
}

export function agentCode(deps: ApiDeps, cursors: Cursors): Pick<RouteCode, "listAgentNotes" | "deleteAgentNote"> {
  return {
    listAgentNotes: (call) => list(deps, cursors, call),
    async deleteAgentNote({ principal, params }) {
      if (!(await deps.store.deleteNote(principal.tenantId, params.name, params.id))) throw notFound("note");
      return new Response(null, { status: 204 });
    },
  };
}
