/** The code of the routes about MCP servers: what workers found, and what people accept. */
import { BatonError, defaultTenantId } from "@baton/core";
import type { McpToolRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { notFound } from "../tasks/code.ts";
import { iso, present } from "../tasks/wire.ts";

/** What the installation's file says beside what the server says: the effect, and why a tool may not be called. */
function toWire(deps: ApiDeps, row: McpToolRow) {
  const { server, state, definition, hash, accepted, acceptedBy, acceptedAt, changedAt } = row;
  const name = `${server}.${row.name}`;
  const why = deps.tools.disabled?.().find((tool) => tool.name === name)?.why;
  const effect = deps.tools.list().find((tool) => tool.name === name)?.effect ?? definition.effect;
  const plain = (told: typeof definition) => ({ ...told, inputSchema: { ...told.inputSchema } });
  return {
    name,
    server,
    state,
    ...plain(definition),
    effect,
    hash,
    ...(why !== undefined && { why }),
    ...(state === "changed" && accepted !== null && { accepted: plain(accepted) }),
    ...present({ acceptedBy: acceptedBy ?? undefined }),
    ...(acceptedAt !== null && { acceptedAt: iso(acceptedAt) }),
    changedAt: iso(changedAt),
  };
}

/** MCP servers are the installation's, which is its first tenant. */
async function found(deps: ApiDeps) {
  await deps.tools.refresh?.();
  return await deps.store.listMcp(defaultTenantId);
}

async function list(deps: ApiDeps) {
  const { servers, tools } = await found(deps);
  const known = new Map(servers.map((row) => [row.server, row]));
  return {
    status: 200 as const,
    body: {
      servers: deps.mcpServers.map((name) => {
        const { listedAt = null, problem = null } = known.get(name) ?? {};
        return {
          name,
          ...(listedAt !== null && { listedAt: iso(listedAt) }),
          ...(problem !== null && { problem }),
          tools: tools.filter(({ server }) => server === name).map((row) => toWire(deps, row)),
        };
      }),
    },
  };
}

async function accept(deps: ApiDeps, { principal, params, body }: Call<"acceptMcpTool">) {
  if (principal.tenantId !== defaultTenantId)
    throw new BatonError(
      "forbidden",
      "MCP servers are the installation's: a key of its first tenant accepts their tools.",
    );
  const [server = "", ...rest] = params.name.split(".");
  const tool = rest.join(".");
  if (!deps.mcpServers.includes(server)) throw notFound("MCP tool");
  const seen = { server, tool, hash: body.hash, by: principal.keyId };
  const row = await deps.store.acceptMcpTool(defaultTenantId, seen);
  if (row !== undefined) {
    await deps.tools.refresh?.();
    return { status: 200 as const, body: toWire(deps, row) };
  }
  const { tools } = await found(deps);
  const now = tools.find((each) => each.server === server && each.name === tool);
  if (now === undefined) throw notFound("MCP tool");
  const why =
    now.refusal === null ? "it has changed since it was looked at; look again" : `it can never be used: ${now.refusal}`;
  throw new BatonError("illegal-transition", `The tool "${params.name}" is not accepted: ${why}.`);
}

export function mcpCode(deps: ApiDeps): Pick<RouteCode, "listMcpServers" | "acceptMcpTool"> {
  return { listMcpServers: () => list(deps), acceptMcpTool: (call) => accept(deps, call) };
}
