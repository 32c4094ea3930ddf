/** The code of the routes about agents: their versions, and what they keep across tasks. */
import { BatonError } from "@baton/core";
import { agentDefinition } from "@baton/core/agent";
import type { AgentRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import type { Cursors } from "../request/cursor.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { notFound } from "../tasks/code.ts";
import { iso } from "../tasks/wire.ts";

const ownToWire = ({ name, version, definition, createdAt }: AgentRow) => ({
  name,
  origin: "api" as const,
  version,
  definition: agentDefinition.parse({ ...(definition as object), version }),
  createdAt: iso(createdAt),
});

const headersOf = (version: number) => ({ etag: `"${version}"` });

async function all({ store, agents }: ApiDeps, tenantId: string) {
  const own = (await store.listAgents(tenantId)).map(ownToWire);
  const names = new Set(own.map(({ name }) => name));
  const folder = (await agents?.list()) ?? { agents: [], problems: [] };
  const files = folder.agents
    .filter(({ definition }) => !names.has(definition.name))
    .map(({ definition }) => ({ name: definition.name, origin: "file" as const, definition }));
  const both = [...own, ...files].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { status: 200 as const, body: { agents: both, problems: [...folder.problems] } };
}

async function one({ store, agents }: ApiDeps, { principal, params, query }: Call<"getAgent">) {
  const row = await store.findAgent({ tenantId: principal.tenantId, name: params.name, version: query.version });
  if (row !== undefined) return { status: 200 as const, body: ownToWire(row), headers: headersOf(row.version) };
  const file = query.version === undefined ? await agents?.find(params.name) : undefined;
  if (file === undefined) throw notFound("agent");
  return { status: 200 as const, body: { name: params.name, origin: "file" as const, definition: file.definition } };
}

async function put(deps: ApiDeps, { principal, params, body, request }: Call<"putAgent">) {
  const { tenantId, keyId: by } = principal;
  const { name } = params;
  const expected = expectedVersion(request);
  const definition = { name, ...body };
  const { answer, version } = await deps.store.putAgent({ tenantId, name, definition, expected, by });
  if (answer === "stale") {
    const now = version === 0 ? "there is none" : `its version is ${version}`;
    throw new BatonError("version-conflict", `The agent "${name}" is not what you read: ${now}. Read it again.`);
  }
  const row = await deps.store.findAgent({ tenantId, name, version });
  if (row === undefined) throw notFound("agent");
  return {
    status: answer === "created" ? (201 as const) : (200 as const),
    body: ownToWire(row),
    headers: headersOf(version),
  };
}

/** Undefined: whatever the newest is. */
function expectedVersion({ headers }: Request): number | undefined {
  if (headers.get("if-none-match")?.trim() === "*") return 0;
  const given = headers.get("if-match")?.trim();
  if (given === undefined || given === "*") return undefined;
  const version = /^(?:W\/)?"(\d{1,9})"$/.exec(given)?.[1];
  if (version !== undefined) return Number(version);
  const detail = 'is the ETag of a version, like "3"';
  throw new BatonError("invalid-request", `If-Match ${detail}.`, {
    problems: [{ pointer: "/If-Match", detail }],
    details: { in: "header" },
  });
}

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

type AgentCode = Pick<
  RouteCode,
  "listAgents" | "getAgent" | "putAgent" | "deleteAgent" | "listAgentNotes" | "deleteAgentNote"
>;

export function agentCode(deps: ApiDeps, cursors: Cursors): AgentCode {
  return {
    listAgents: ({ principal }) => all(deps, principal.tenantId),
    getAgent: (call) => one(deps, call),
    putAgent: (call) => put(deps, call),
    async deleteAgent({ principal, params }) {
      if (!(await deps.store.deleteAgent(principal.tenantId, params.name))) throw notFound("agent");
      return new Response(null, { status: 204 });
    },
    listAgentNotes: (call) => list(deps, cursors, call),
    async deleteAgentNote({ principal, params }) {
      if (!(await deps.store.deleteNote(principal.tenantId, params.name, params.id))) throw notFound("note");
      return new Response(null, { status: 204 });
    },
  };
}
