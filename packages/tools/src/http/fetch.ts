/**
 * The guarded client as a `fetch`, for libraries that bring a protocol of their own: the same addresses are refused, no
 * redirect is followed, and a body arrives as it comes, up to a bound.
 */
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { BatonError } from "@baton/core";
import type { Dispatcher } from "undici";
import { parseAllowList } from "./allow-list.ts";
import type { GuardedHttpOptions } from "./client.ts";
import { connectChecked, type Exchange, failure, flattened } from "./connect.ts";
import { systemDialer, systemResolver } from "./dial.ts";
import { checkedHeaders, checkedUrl } from "./request.ts";

export type GuardedFetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

export interface GuardedFetchOptions extends Pick<GuardedHttpOptions, "allowHosts" | "resolver" | "dialer"> {
  /** Of one response body; more is an error of its stream. */
  readonly maxBytes: number;
}

/** What it returns rejects as the guarded client does; time is bounded by the caller's signal. */
export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const { resolver = systemResolver, dialer = systemDialer, maxBytes } = options;
  const allowList = parseAllowList(options.allowHosts ?? []);
  return async (target, init = {}) => {
    const url = checkedUrl(String(target));
    const headers = checkedHeaders(Object.fromEntries(new Headers(init.headers)));
    const signal = init.signal ?? new AbortController().signal;
    signal.throwIfAborted();
    const exchange: Exchange = { url, method: init.method ?? "GET", headers, signal, sent: false };
    try {
      const socket = await connectChecked(exchange, { resolver, dialer, allowList });
      return await converse(exchange, textOf(init.body), socket, maxBytes);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof BatonError) throw error;
      throw failure(exchange, error instanceof Error ? error.message : String(error), error);
    }
  };
}

function textOf(body: RequestInit["body"]): string | null {
  if (body === undefined || body === null) return null;
  if (typeof body === "string") return body;
  throw new BatonError("internal", "The guarded fetch sends texts only.");
}

async function converse(exchange: Exchange, body: string | null, socket: Socket, maxBytes: number): Promise<Response> {
  const { url, method, headers, signal } = exchange;
  const { Client } = await import("undici");
  const client = new Client(url.origin, {
    connect: (_options, callback) => {
      exchange.sent = true;
      queueMicrotask(() => callback(null, socket)); // undici hangs when its connector answers at once.
    },
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  });
  const end = async (): Promise<void> => {
    await client.destroy();
    socket.destroy();
  };
  try {
    const answer = await client.request({
      method: method as Dispatcher.HttpMethod,
      path: url.pathname + url.search,
      headers: { "accept-encoding": "identity", "user-agent": "baton", ...headers },
      body,
      reset: true,
      signal,
    });
    const { statusCode: status } = answer;
    const isEmpty = status === 204 || status === 205 || status === 304;
    const bytes = Readable.from(bounded(answer.body, maxBytes, end), { objectMode: false });
    if (isEmpty) bytes.resume();
    return new Response(isEmpty ? null : (Readable.toWeb(bytes) as ReadableStream<Uint8Array>), {
      status,
      headers: flattened(answer.headers),
    });
  } catch (error) {
    await end();
    throw error;
  }
}

/** Ends the connection with the body, however that ends. */
async function* bounded(body: AsyncIterable<Uint8Array>, maxBytes: number, end: () => Promise<void>) {
  let length = 0;
  try {
    for await (const chunk of body) {
      length += chunk.length;
      if (length > maxBytes) throw new Error(`The answer has more than ${maxBytes} bytes.`);
      yield chunk;
    }
  } finally {
    await end();
  }
}
