/** The MCP servers of a process: which there are says the operator's file, what they offer is in PostgreSQL. */
import { mcpServers } from "@baton/config";
import type { Config } from "@baton/config";
import type { LogPort } from "@baton/core/ports";
import type { Store } from "@baton/store";
import { createMcpTools } from "@baton/tools";
import type { McpCatalogue, McpTools } from "@baton/tools";
import type { Closers } from "./closers.ts";

export interface McpServersOptions {
  readonly config: Config;
  readonly log: LogPort;
  readonly store: Pick<Store, "mcp">;
  /** Lists servers of which nothing is known yet; a process that starts none waits for another one to do so. */
  readonly discovers: boolean;
}

/** Throws `invalid-configuration` or `store-unavailable`. */
export async function openMcpServers(options: McpServersOptions, closers: Closers): Promise<McpTools> {
  const { config, log, store, discovers } = options;
  const tools = createMcpTools({
    servers: mcpServers(config),
    catalogue: catalogueOf(store),
    environment: process.env,
    allowHosts: config.http.allowHosts,
    log,
  });
  closers.add("MCP servers", () => tools.close());
  await tools.refresh();
  if (discovers) tools.discover();
  return tools;
}

function catalogueOf({ mcp }: Pick<Store, "mcp">): McpCatalogue {
  return {
    read: async (servers) =>
      (await mcp.readTools(servers)).map(({ server, name, state, definition, accepted, refusal }) => ({
        server,
        name,
        state,
        ...(accepted ?? definition),
        refusal: refusal ?? undefined,
      })),
    record: (server, settingsHash, tools) => mcp.recordListing(server, settingsHash, tools),
    recordProblem: (server, settingsHash, problem) => mcp.recordProblem(server, settingsHash, problem),
    isListed: (server, settingsHash) => mcp.isListed(server, settingsHash),
  };
}
