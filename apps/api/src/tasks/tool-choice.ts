/**
 * The tools that a request names, against those that there are.
 *
 * 1. Nothing is started to know them: reading them reads what workers found and people accepted.
 * 2. A tool of an MCP server may be named as the server names it, where the server is named too.
 * 3. A tool that exists and may not be called is refused with the reason.
 */
import type { Mention } from "@baton/contracts";
import { BatonError } from "@baton/core";
import type { ErrorCode } from "@baton/core";
import type { AgentDefinition } from "@baton/core/agent";
import type { ApiDeps } from "../deps.ts";

export type AllowedServers = Readonly<Record<string, { readonly tools: readonly string[] }>>;

export function refuse(code: ErrorCode, pointer: string, detail: string): never {
  throw new BatonError(code, detail, { problems: [{ pointer, detail }] });
}

/** Throws `store-unavailable`. */
export async function readToolChoice({
  tools,
  mcpServers,
}: Pick<ApiDeps, "tools" | "mcpServers">): Promise<ToolChoice> {
  await tools.refresh?.();
  const known = new Set(tools.list().map(({ name }) => name));
  const disabled = new Map((tools.disabled?.() ?? []).map(({ name, why }) => [name, why]));
  return new ToolChoice(known, disabled, mcpServers);
}

export class ToolChoice {
  readonly known: ReadonlySet<string>;
  /** The reason by name. */
  readonly disabled: ReadonlyMap<string, string>;
  readonly #servers: readonly string[];

  constructor(known: ReadonlySet<string>, disabled: ReadonlyMap<string, string>, servers: readonly string[]) {
    this.known = known;
    this.disabled = disabled;
    this.#servers = servers;
  }

  /** Refuses a name that is none of a tool that may be called. */
  check(name: string, pointer: string): void {
    if (this.known.has(name)) return;
    const why = this.disabled.get(name);
    if (why !== undefined) refuse("tool-disabled", pointer, why);
    refuse("unknown-tool", pointer, `There is no tool "${name}"; GET /api/v1/tools lists them.`);
  }

  /** Undefined: nothing is mentioned. */
  mentioned(mentions: readonly Mention[]): readonly string[] | undefined {
    if (mentions.length === 0) return undefined;
    const names = mentions.flatMap((mention, index) => this.#mentionedBy(mention, `/mentions/${index}/name`));
    return [...new Set(names)];
  }

  /** All tools but those of servers that the request does not allow; undefined: it says nothing of servers. */
  ofAllowedServers(allowed: AllowedServers | undefined): readonly string[] | undefined {
    if (allowed === undefined) return undefined;
    const kept = new Set<string>();
    for (const [server, { tools }] of Object.entries(allowed)) {
      const pointer = `/allowedMcpServers/${server.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      if (!this.#servers.includes(server))
        refuse("unknown-mcp-server", pointer, `There is no MCP server "${server}"; configure it, or leave it out.`);
      for (const [index, name] of tools.entries()) kept.add(this.#ofServer(server, name, `${pointer}/tools/${index}`));
    }
    const isOfServer = (name: string) => this.#servers.some((server) => name.startsWith(`${server}.`));
    return [...this.known].filter((name) => !isOfServer(name) || kept.has(name));
  }

  /** The definition with `server.*` as the tools that the server has now. */
  expanded(definition: AgentDefinition, pointer: string): AgentDefinition {
    if (!definition.tools.some((name) => name.endsWith(".*"))) return definition;
    const names = definition.tools.flatMap((name, index) => {
      if (!name.endsWith(".*")) return [name];
      const found = this.#below(name.slice(0, -1));
      if (found.length > 0) return found;
      const detail = `There is no tool below "${name.slice(0, -1)}"; GET /api/v1/tools lists them.`;
      return refuse("unknown-tool", `${pointer}/tools/${index}`, detail);
    });
    return { ...definition, tools: [...new Set(names)] };
  }

  #mentionedBy({ type, name, serverId }: Mention, pointer: string): readonly string[] {
    if (type === "mcpServer") {
      const server = serverId ?? name;
      if (this.#servers.includes(server)) return this.#below(`${server}.`);
      return refuse("unknown-mention", pointer, `There is no MCP server "${name}" to mention.`);
    }
    const full = serverId !== undefined && this.#servers.includes(serverId) ? this.#fullName(serverId, name) : name;
    if (this.known.has(full)) return [full];
    const unknown = `There is no tool "${name}" to mention; GET /api/v1/tools lists them.`;
    return refuse("unknown-mention", pointer, this.disabled.get(full) ?? unknown);
  }

  #ofServer(server: string, name: string, pointer: string): string {
    const full = this.#fullName(server, name);
    if (this.known.has(full) || this.disabled.has(full)) {
      this.check(full, pointer);
      return full;
    }
    const isListed = [...this.known, ...this.disabled.keys()].some((each) => each.startsWith(`${server}.`));
    const hint = isListed ? "" : " No worker has listed its tools yet: GET /api/v1/mcp/servers says why.";
    return refuse("unknown-tool", pointer, `The MCP server "${server}" has no tool "${name}".${hint}`);
  }

  #fullName(server: string, name: string): string {
    const isFull = name.startsWith(`${server}.`) && (this.known.has(name) || this.disabled.has(name));
    return isFull ? name : `${server}.${name}`;
  }

  #below(prefix: string): readonly string[] {
    return [...this.known].filter((name) => name.startsWith(prefix));
  }
}
