/**
 * MCP over streamable HTTP, through the guarded client: an operator names the server's URL, and it reaches no address that
 * tools may not reach.
 */
import { type JSONRPCMessage, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { GuardedFetch } from "../../http/fetch.ts";
import type { Cleaner } from "../secrets.ts";

export interface HttpOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: GuardedFetch;
  readonly clean: Cleaner;
}

export class HttpTransport extends StreamableHTTPClientTransport {
  readonly #clean: Cleaner;

  constructor({ url, headers, fetch, clean }: HttpOptions) {
    super(new URL(url), { fetch, requestInit: { headers: { ...headers } } });
    this.#clean = clean;
  }

  /** The protocol has set who receives messages before it starts a transport. */
  override async start(): Promise<void> {
    const deliver = this.onmessage;
    this.onmessage = (message: JSONRPCMessage) => {
      let cleaned: JSONRPCMessage;
      try {
        cleaned = this.#clean.value(message);
      } catch {
        this.onerror?.(new Error("a message is nested too deeply"));
        return;
      }
      deliver?.(cleaned);
    };
    await super.start();
  }
}
