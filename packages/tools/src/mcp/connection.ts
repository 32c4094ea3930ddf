/**
 * The connection to one server.
 *
 * Purpose: a server is started when it is first needed, and again when it has gone. Boundary: what is asked of it is
 * server.ts's.
 *
 * 1. One start at a time, shared by all who wait for it.
 * 2. A server that goes, or does not start, is waited for twice as long each time, up to 30 s; an answered call forgets
 *    that. A caller waits a few seconds at the most, and hears when to come again.
 * 3. Secrets are looked up at every start, and known to this object's cleaner alone.
 */
import { setTimeout as delay } from "node:timers/promises";
import { BatonError, RetryAfter } from "@baton/core";
import type { LogPort } from "@baton/core/ports";
import { Client, type Transport } from "@modelcontextprotocol/client";
import { orAborted } from "../http/abort.ts";
import { createGuardedFetch } from "../http/fetch.ts";
import { createCleaner, type Cleaner, type Environment, resolveSecrets } from "./secrets.ts";
import type { McpServerSettings } from "./settings.ts";
import { HttpTransport } from "./transport/http.ts";
import { maxMessageBytes, StdioTransport } from "./transport/stdio.ts";

export interface ConnectionParts {
  /** Where secrets are looked up. */
  readonly environment: Environment;
  /** `host` or `host:port` that may be reached although they are private. */
  readonly allowHosts: readonly string[];
  readonly log: LogPort;
}

export interface Live {
  readonly client: Client;
  readonly clean: Cleaner;
  /** How it ended, for people; undefined while it lives. */
  readonly ending: string | undefined;
  readonly pid: number | undefined;
}

const firstPauseMs = 100;
const longestPauseMs = 30_000;
/** Longer than a restart or two; shorter than what a slot should be held for. */
const patienceMs = 3_000;
const graceMs = 2_000;
const loggedErrors = 20;
const loggedLines = 200;

export class McpConnection {
  /** Called when the server says that its tools have changed. */
  onListChanged: () => void = () => undefined;
  readonly #settings: McpServerSettings;
  readonly #parts: ConnectionParts;
  #live: Live | undefined;
  #starting: Promise<Live> | undefined;
  #failures = 0;
  /** By performance.now(). */
  #notBefore = 0;
  #isClosed = false;
  #problem = "";

  constructor(settings: McpServerSettings, parts: ConnectionParts) {
    this.#settings = settings;
    this.#parts = parts;
  }

  /** Throws RetryAfter when the server is not there soon, or the abort reason. Nothing was asked of the server. */
  async use(signal: AbortSignal): Promise<Live> {
    const until = performance.now() + patienceMs;
    for (;;) {
      signal.throwIfAborted();
      if (this.#live !== undefined) return this.#live;
      const waitMs = this.#notBefore - performance.now();
      if (this.#isClosed) throw this.#notThere("this process is stopping", 1_000);
      if (performance.now() + waitMs > until) throw this.#notThere(this.#problem, Math.max(1_000, waitMs));
      if (waitMs > 0) await delay(waitMs, undefined, { signal });
      else {
        this.#starting ??= this.#begin();
        await orAborted(this.#starting, signal).catch(() => signal.throwIfAborted());
      }
    }
  }

  /** The server has answered: whatever was before is over. */
  worked(): void {
    this.#failures = 0;
  }

  /** Ends a connection that is of no use any more; the next caller begins another. */
  async drop(live: Live, why: string): Promise<void> {
    if (this.#live !== live) return;
    this.#live = undefined;
    this.#failed(why);
    await live.client.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const live = this.#live ?? (await this.#starting?.catch(() => undefined));
    this.#live = undefined;
    await live?.client.close().catch(() => undefined);
  }

  #begin(): Promise<Live> {
    const starting = this.#start().finally(() => {
      this.#starting = undefined;
    });
    starting.catch((error: unknown) => this.#failed(error instanceof Error ? error.message : String(error)));
    return starting;
  }

  async #start(): Promise<Live> {
    const { name, startTimeoutMs, protocol } = this.#settings;
    const { log } = this.#parts;
    const { transport, clean } = this.#transport();
    const client = new Client({ name: "baton", version: "0.1.0" }, { versionNegotiation: { mode: protocol } });
    let ending: string | undefined;
    let errorCount = 0;
    const stdio = transport instanceof StdioTransport ? transport : undefined;
    const live: Live = {
      client,
      clean,
      get ending() {
        return ending;
      },
      get pid() {
        return stdio?.pid;
      },
    };
    client.onerror = () => {
      errorCount += 1;
      // Never its message: it quotes what the server sent.
      if (errorCount <= loggedErrors) log.warn("mcp-server-misbehaves", { server: name, errorCount });
    };
    client.onclose = () => {
      ending = stdio?.ending ?? "closed the connection";
      if (this.#live !== live) return;
      this.#live = undefined;
      this.#failed(ending);
    };
    client.setNotificationHandler("notifications/tools/list_changed", () => this.onListChanged());
    try {
      await client.connect(transport, { timeout: startTimeoutMs });
    } catch (error) {
      // What a program wrote before it ended says less than how it ended.
      const how = stdio === undefined ? undefined : ((await stdio.endedWithin(0)) ?? ending);
      await transport.close().catch(() => undefined);
      throw new Error(clean.text(how ?? (error instanceof Error ? error.message : String(error))));
    }
    if (this.#isClosed || ending !== undefined) {
      await client.close().catch(() => undefined);
      throw new Error(ending ?? "this process is stopping");
    }
    log.info("mcp-server-started", { server: name, ...(live.pid !== undefined && { pid: live.pid }) });
    this.#live = live;
    return live;
  }

  /** Throws `invalid-configuration`. */
  #transport(): { transport: Transport; clean: Cleaner } {
    const settings = this.#settings;
    const { environment, allowHosts, log } = this.#parts;
    const place = `mcpServers.${settings.name}`;
    if ("url" in settings) {
      const { values: headers, secrets } = resolveSecrets(settings.headers, `${place}.headers`, environment);
      const clean = createCleaner(secrets);
      const fetch = createGuardedFetch({ allowHosts, maxBytes: maxMessageBytes });
      return { transport: new HttpTransport({ url: settings.url, headers, fetch, clean }), clean };
    }
    const { values: env, secrets } = resolveSecrets(settings.env, `${place}.env`, environment);
    const clean = createCleaner(secrets);
    const { command, args, cwd, name } = settings;
    let lineCount = 0;
    const onErrorLine = (line: string): void => {
      lineCount += 1;
      if (lineCount <= loggedLines) log.debug("mcp-server-says", { server: name, line });
    };
    return { transport: new StdioTransport({ command, args, env, cwd, graceMs, clean, onErrorLine }), clean };
  }

  #failed(why: string): void {
    if (this.#isClosed) return;
    this.#failures += 1;
    this.#problem = why;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failures - 1));
    this.#notBefore = performance.now() + pauseMs;
    this.#parts.log.warn("mcp-server-gone", { server: this.#settings.name, why, failures: this.#failures, pauseMs });
  }

  #notThere(why: string, delayMs: number): RetryAfter {
    const message = `The MCP server "${this.#settings.name}" is not there: ${why.replace(/\.$/, "")}. Nothing was asked of it.`;
    return new RetryAfter(message, { delayMs: Math.ceil(delayMs), code: "tool-failed" });
  }
}

/** For who starts servers apart from calls: the reason as a text. */
export const reasonOf = (error: unknown): string =>
  error instanceof BatonError || error instanceof Error ? error.message : String(error);
