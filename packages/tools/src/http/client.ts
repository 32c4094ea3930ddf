/**
 * The one client for outbound HTTP.
 *
 * Purpose: let a model or a user choose a URL without giving it the network the worker stands in.
 * Boundary: knows no tool; statuses are data, only what prevented an answer is an error.
 *
 * 1. A name is resolved once, every address is checked, and the socket goes to one of those literals.
 * 2. Not a global unicast address: `address-refused`, unless the operator opened the host by name.
 * 3. No redirect is followed, no proxy or credential of the environment is used, no connection is reused.
 * 4. Time and response size are bounded; the caller's abort ends the socket.
 * 5. Every error says whether anything was sent: `details.sent`.
 */
import type { Socket } from "node:net";
import { BatonError } from "@baton/core";
import type { Dispatcher } from "undici";
import { parseAllowList } from "./allow-list.ts";
import { connectChecked, type Exchange, failure, flattened } from "./connect.ts";
import { type Dialer, type Resolver, systemDialer, systemResolver } from "./dial.ts";
import { checkedHeaders, checkedUrl } from "./request.ts";

export interface GuardedHttpOptions {
  /** `host` or `host:port`, opened whatever they resolve to. */
  readonly allowHosts?: readonly string[];
  readonly resolver?: Resolver;
  readonly dialer?: Dialer;
  /** For resolving, connecting and the whole exchange together; 30,000. */
  readonly timeoutMs?: number;
}

export interface GuardedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Of the response body; what follows is not read. 1,000,000. */
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

export interface GuardedResponse {
  readonly status: number;
  /** Names in lower case; repeated ones joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly truncated: boolean;
}

export interface GuardedHttp {
  /** Throws `tool-input-invalid`, `address-refused`, `tool-failed`, or the abort reason. */
  request(request: GuardedRequest): Promise<GuardedResponse>;
}

export function createGuardedHttp(options: GuardedHttpOptions = {}): GuardedHttp {
  const { resolver = systemResolver, dialer = systemDialer } = options;
  const allowList = parseAllowList(options.allowHosts ?? []);
  return {
    request: async (request) => {
      const url = checkedUrl(request.url);
      const headers = checkedHeaders(request.headers ?? {});
      request.signal.throwIfAborted();
      const timeoutMs = request.timeoutMs ?? options.timeoutMs ?? 30_000;
      const timeout = AbortSignal.timeout(timeoutMs);
      const exchange: Exchange = {
        url,
        method: request.method,
        headers,
        signal: AbortSignal.any([request.signal, timeout]),
        sent: false,
      };
      try {
        return await converse(exchange, request, await connectChecked(exchange, { resolver, dialer, allowList }));
      } catch (error) {
        request.signal.throwIfAborted();
        if (timeout.aborted)
          throw failure(exchange, `no complete answer within ${timeoutMs} ms`, error, { timedOut: true });
        if (error instanceof BatonError) throw error;
        throw failure(exchange, error instanceof Error ? error.message : String(error), error);
      }
    },
  };
}

async function converse(exchange: Exchange, request: GuardedRequest, socket: Socket): Promise<GuardedResponse> {
  const { url, headers, signal } = exchange;
  // Loaded where it is used: most processes never make a request of their own.
  const { Client } = await import("undici");
  const client = new Client(url.origin, {
    connect: (_options, callback) => {
      exchange.sent = true; // From here on nothing tells how much of the request has left.
      queueMicrotask(() => callback(null, socket)); // undici hangs when its connector answers at once.
    },
    headersTimeout: 0, // The exchange as a whole is bounded by `signal`.
    bodyTimeout: 0,
    allowH2: false,
  });
  try {
    const response = await client.request({
      method: request.method as Dispatcher.HttpMethod,
      path: url.pathname + url.search,
      headers: { "accept-encoding": "identity", "user-agent": "baton", ...headers },
      body: request.body ?? null,
      reset: true,
      signal,
    });
    return {
      status: response.statusCode,
      headers: flattened(response.headers),
      ...(await readUpTo(response.body, request.maxBytes ?? 1_000_000)),
    };
  } finally {
    await client.destroy();
    socket.destroy();
  }
}

async function readUpTo(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ body: Uint8Array; truncated: boolean }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) break;
  }
  return { body: Buffer.concat(chunks).subarray(0, maxBytes), truncated: length > maxBytes };
}
