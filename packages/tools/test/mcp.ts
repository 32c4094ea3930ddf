/** MCP tools over a catalogue in memory that keeps to the same rules as the one in PostgreSQL. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CataloguedTool, McpCatalogue } from "../src/mcp/catalogue.ts";
import type { ListedTool } from "../src/mcp/listing.ts";
import { createMcpTools, type McpTools } from "../src/mcp/mcp.ts";
import type { McpServerSettings, StdioServerSettings } from "../src/mcp/settings.ts";
import { createToolRegistry, type ToolRegistry } from "../src/registry/registry.ts";

const program = fileURLToPath(new URL("./programs/misbehaving-mcp-server.ts", import.meta.url));

/** As an operator writes it. */
export const secretNamed = (name: string): string => ["$", "{secret:", name, "}"].join("");

export const common = {
  tools: {},
  startTimeoutMs: 20_000,
  idleTimeoutMs: 5_000,
  relistMs: 30_000,
  protocol: "legacy",
} as const;

export const misbehaving = (more: Partial<StdioServerSettings> = {}): StdioServerSettings => ({
  ...common,
  name: "odd",
  command: process.execPath,
  args: [program],
  env: {},
  ...more,
});

interface Kept extends ListedTool {
  acceptedAs: ListedTool | undefined;
  offered: boolean;
}

export class MemoryCatalogue implements McpCatalogue {
  readonly tools = new Map<string, Map<string, Kept>>();
  readonly listed = new Map<string, string>();
  readonly problems: string[] = [];

  async read(servers: readonly string[]): Promise<readonly CataloguedTool[]> {
    return servers.flatMap((server) =>
      [...(this.tools.get(server)?.values() ?? [])].map((kept) => {
        const { name, refusal, acceptedAs, hash, offered } = kept;
        const state =
          refusal !== undefined ? "refused" : !offered ? "gone" : acceptedAs?.hash === hash ? "accepted" : "changed";
        const { description, inputSchema, effect } = acceptedAs ?? kept;
        return { server, name, state, description, inputSchema, effect, refusal };
      }),
    );
  }

  async record(server: string, settingsHash: string, tools: readonly ListedTool[]): Promise<void> {
    const known = this.tools.get(server) ?? new Map<string, Kept>();
    for (const kept of known.values()) kept.offered = false;
    for (const tool of tools) {
      const before = known.get(tool.name);
      const acceptedAs = before === undefined ? (tool.refusal === undefined ? tool : undefined) : before.acceptedAs;
      known.set(tool.name, { ...tool, acceptedAs, offered: true });
    }
    this.tools.set(server, known);
    this.listed.set(server, settingsHash);
  }

  async recordProblem(_server: string, _settingsHash: string, problem: string): Promise<void> {
    this.problems.push(problem);
  }

  async isListed(server: string, settingsHash: string): Promise<boolean> {
    return this.listed.get(server) === settingsHash;
  }

  accept(server: string, name: string): void {
    const kept = this.tools.get(server)?.get(name);
    if (kept !== undefined) kept.acceptedAs = kept;
  }
}

export interface Logged {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

export interface McpBench {
  readonly mcp: McpTools;
  readonly registry: ToolRegistry;
  readonly catalogue: MemoryCatalogue;
  readonly logged: Logged[];
}

export const newFolder = (): string => mkdtempSync(join(tmpdir(), "baton-mcp-"));

/** Resolves when every server has been listed. */
export async function openMcp(
  servers: readonly McpServerSettings[],
  more: {
    environment?: Record<string, string>;
    catalogue?: MemoryCatalogue;
    allowHosts?: string[];
    lists?: boolean;
  } = {},
): Promise<McpBench> {
  const catalogue = more.catalogue ?? new MemoryCatalogue();
  const logged: Logged[] = [];
  const at = (level: string) => (event: string, fields?: Readonly<Record<string, unknown>>) =>
    void logged.push({ level, event, fields });
  const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const { environment = {}, allowHosts = [] } = more;
  const mcp = createMcpTools({ servers, catalogue, environment, allowHosts, log });
  const registry = createToolRegistry({ sources: mcp.sources, refresh: () => mcp.refresh(), onLate: () => undefined });
  if (more.lists !== false) {
    mcp.discover();
    while (servers.some(({ name }) => !catalogue.listed.has(name)))
      await new Promise((resolve) => setImmediate(resolve));
  }
  await registry.refresh();
  return { mcp, registry, catalogue, logged };
}
