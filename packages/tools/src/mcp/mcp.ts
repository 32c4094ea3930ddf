/**
 * Tools of MCP servers.
 *
 * Purpose: the tools of the servers that an operator configured, as any other tool of a registry. Boundary: the only place
 * that knows the protocol and its SDK; what is accepted is kept by the catalogue that is handed in.
 *
 * 1. No server is started to know its tools: names, descriptions and schemas come from the catalogue. A server is started
 *    by `discover`, when the catalogue has no list of it, and by the first call.
 * 2. A tool has the name `<server>.<tool>`; names that are not plain, or look alike, are refused.
 * 3. What a model is told of a tool is what was accepted. A tool whose description, schema or annotations differ from that
 *    is not called until somebody accepts it; what is seen for the first time is accepted.
 * 4. A list that is older than the server's `relistMs`, or that the server called outdated, is renewed before a call.
 * 5. Secrets are looked up by name where a server is started; nothing that comes back carries one (secrets.ts).
 * 6. A failure before a call is sent is one of a call that did nothing; after it, only the server's own word is.
 * 7. A server program leaves with this process, however that ends (transport/group.ts).
 */
import { setTimeout as delay } from "node:timers/promises";
import { BatonError, RetryAfter } from "@baton/core";
import type { ToolCall, ToolSummary } from "@baton/core/ports";
import { orAborted } from "../http/abort.ts";
import type { ToolSource } from "../registry/source.ts";
import type { CataloguedTool, McpCatalogue } from "./catalogue.ts";
import { type ConnectionParts, type Live, reasonOf } from "./connection.ts";
import { listedTools } from "./listing.ts";
import { outputSchema } from "./output.ts";
import { McpServer } from "./server.ts";
import type { McpServerSettings } from "./settings.ts";

export interface McpOptions extends ConnectionParts {
  readonly servers: readonly McpServerSettings[];
  readonly catalogue: McpCatalogue;
}

export interface McpTools {
  readonly sources: readonly ToolSource[];
  /** Reads the catalogue: what was accepted or found elsewhere is known from then on. */
  refresh(): Promise<void>;
  /** Lists the servers of which the catalogue has no list, until it has; never rejects. */
  discover(): void;
  /** Ends every server. */
  close(): Promise<void>;
}

const firstPauseMs = 1_000;
const longestPauseMs = 60_000;

export function createMcpTools({ servers: settings, catalogue, ...parts }: McpOptions): McpTools {
  const known = new KnownTools(settings, catalogue);
  const sources = settings.map((each) => new McpSource(new McpServer(each, parts), known, catalogue));
  const stop = new AbortController();
  let discovering: Promise<unknown> = Promise.resolve();
  return {
    sources,
    refresh: () => known.read(),
    discover() {
      discovering = Promise.all(sources.map((source) => discover(source, parts, stop.signal)));
    },
    async close() {
      stop.abort();
      await Promise.all(sources.map((source) => source.close()));
      await discovering;
    },
  };
}

async function discover(source: McpSource, { log }: ConnectionParts, signal: AbortSignal): Promise<void> {
  for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    try {
      await source.listOnce(signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      log.warn("mcp-server-not-listed", { server: source.name, retryInMs: pauseMs, why: reasonOf(error) });
    }
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

/** What the catalogue said last. */
class KnownTools {
  readonly #catalogue: McpCatalogue;
  readonly #servers: readonly string[];
  #tools = new Map<string, ReadonlyMap<string, CataloguedTool>>();
  #reading: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(servers: readonly McpServerSettings[], catalogue: McpCatalogue) {
    this.#servers = servers.map(({ name }) => name);
    this.#catalogue = catalogue;
  }

  of(server: string): ReadonlyMap<string, CataloguedTool> {
    return this.#tools.get(server) ?? new Map();
  }

  /** Sees everything that was written before it was called: who comes while a read is under way gets the next one. */
  read(): Promise<void> {
    if (this.#servers.length === 0) return Promise.resolve();
    if (this.#reading === undefined) return this.#start();
    const again = (): Promise<void> => this.#start();
    this.#next ??= this.#reading.then(again, again);
    return this.#next;
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const reading = this.#catalogue
      .read(this.#servers)
      .then((rows) => {
        const byServer = Map.groupBy(rows, ({ server }) => server);
        this.#tools = new Map(
          [...byServer].map(([server, tools]) => [server, new Map(tools.map((tool) => [tool.name, tool]))]),
        );
      })
      .finally(() => {
        if (this.#reading === reading) this.#reading = undefined;
      });
    this.#reading = reading;
    return reading;
  }
}

class McpSource implements ToolSource {
  readonly name: string;
  readonly #server: McpServer;
  readonly #known: KnownTools;
  readonly #catalogue: McpCatalogue;
  /** Of the connection that it was listed over. */
  #listed: { readonly live: Live; readonly at: number } | undefined;
  #listing: { readonly live: Live; readonly done: Promise<void> } | undefined;

  constructor(server: McpServer, known: KnownTools, catalogue: McpCatalogue) {
    this.name = server.settings.name;
    this.#server = server;
    this.#known = known;
    this.#catalogue = catalogue;
    server.connection.onListChanged = () => {
      this.#listed = undefined;
    };
  }

  list(): readonly ToolSummary[] {
    return [...this.#known.of(this.name).values()]
      .filter(({ name }) => this.refusalOf(name) === undefined)
      .map((tool) => this.#summary(tool));
  }

  /** Why a tool of that name cannot be used; undefined: it can. */
  refusalOf(name: string): string | undefined {
    const full = `${this.name}.${name}`;
    const tool = this.#known.of(this.name).get(name);
    if (tool === undefined) {
      return this.#known.of(this.name).size > 0
        ? undefined
        : `Nothing is known yet of the tools of the MCP server "${this.name}": no worker has listed them. \`baton mcp list\` says why.`;
    }
    if (this.#server.settings.tools[name]?.disabled === true)
      return `The operator has disabled "${full}" in the file of MCP servers.`;
    switch (tool.state) {
      case "accepted":
        return undefined;
      case "changed":
        return `"${full}" is disabled: its server describes it otherwise than what was accepted. Look at it and accept it: baton mcp accept ${full}`;
      case "gone":
        return `"${full}" is disabled: its server no longer offers it.`;
      case "refused":
        return `"${full}" is disabled: ${tool.refusal ?? "it was refused"}.`;
    }
  }

  disabled(): readonly { readonly name: string; readonly why: string }[] {
    return [...this.#known.of(this.name).keys()].flatMap((name) => {
      const why = this.refusalOf(name);
      return why === undefined ? [] : [{ name, why }];
    });
  }

  async run(name: string, args: unknown, call: ToolCall): Promise<unknown> {
    this.#usable(name);
    const live = await this.#server.connection.use(call.signal);
    await this.#renewList(live, call.signal);
    return await this.#server.call(live, this.#summary(this.#usable(name)), args, call);
  }

  /** Unless the catalogue has a list of this server under these settings. */
  async listOnce(signal: AbortSignal): Promise<void> {
    const { settingsHash, connection } = this.#server;
    if (await this.#catalogue.isListed(this.name, settingsHash)) return;
    try {
      await this.#renewList(await connection.use(signal), signal);
    } catch (error) {
      signal.throwIfAborted();
      await this.#catalogue.recordProblem(this.name, settingsHash, reasonOf(error).slice(0, 1_000));
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#server.connection.close();
  }

  #summary({ name, description, inputSchema, effect }: CataloguedTool): ToolSummary {
    return {
      name,
      description,
      inputSchema,
      outputSchema,
      effect: this.#server.settings.tools[name]?.effect ?? effect,
    };
  }

  #usable(name: string): CataloguedTool {
    const tool = this.#known.of(this.name).get(name);
    const why = this.refusalOf(name);
    if (tool !== undefined && why === undefined) return tool;
    const message = why ?? `The MCP server "${this.name}" has no tool "${name}".`;
    throw new BatonError(why === undefined ? "unknown-tool" : "tool-disabled", message, { details: { sent: false } });
  }

  /** One list at a time for everybody who waits for it. */
  #renewList(live: Live, signal: AbortSignal): Promise<void> {
    const listed = this.#listed;
    const isFresh = listed?.live === live && performance.now() - listed.at < this.#server.settings.relistMs;
    if (isFresh) return Promise.resolve();
    if (this.#listing?.live !== live) {
      const done = this.#list(live).finally(() => {
        this.#listing = undefined;
      });
      this.#listing = { live, done };
    }
    signal.throwIfAborted();
    return orAborted(this.#listing.done, signal);
  }

  async #list(live: Live): Promise<void> {
    const at = performance.now();
    const offered = await this.#server.list(live, new AbortController().signal);
    try {
      await this.#known.read();
      const accepted = new Set(
        [...this.#known.of(this.name).values()].filter(({ state }) => state !== "refused").map(({ name }) => name),
      );
      const listing = { live, at };
      this.#listed = listing;
      await this.#catalogue.record(this.name, this.#server.settingsHash, listedTools(offered, accepted));
      await this.#known.read();
    } catch (error) {
      this.#listed = undefined;
      // Nothing was called: whatever the catalogue's trouble is, it does not leave a call in doubt.
      throw new RetryAfter(`The catalogue of tools is away: ${reasonOf(error)}`, {
        delayMs: 1_000,
        code: "store-unavailable",
      });
    }
  }
}
