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
import { addressProblem } from "./address.ts";
import { type AllowList, canonical, parseAllowList } from "./allow-list.ts";
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

interface Exchange {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly request: GuardedRequest;
  readonly signal: AbortSignal;
  sent: boolean;
}

const connectTimeoutMs = 10_000;

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
        headers,
        request,
        signal: AbortSignal.any([request.signal, timeout]),
        sent: false,
      };
      try {
        const addresses = await resolveChecked(exchange, resolver, allowList);
        const socket = await dialFirst(exchange, addresses, dialer);
        return await converse(exchange, socket);
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

async function resolveChecked(
  { url, signal }: Exchange,
  resolver: Resolver,
  allowList: AllowList,
): Promise<readonly string[]> {
  const host = canonical(url.hostname);
  const isLiteral = addressProblem(host) !== "is not an IP address";
  const addresses = isLiteral ? [host] : await orAborted(resolver(host), signal);
  if (addresses.length === 0) throw new Error(`${host} has no address`);
  if (allowList.allows(host, portOf(url))) return addresses;
  for (const address of addresses) {
    const problem = addressProblem(address);
    if (problem === undefined) continue;
    const where = isLiteral ? address : `${host} (${address})`;
    throw new BatonError(
      "address-refused",
      `${where} ${problem}; an operator can open it by adding "${url.host}" to http.allowHosts.`,
      {
        problems: [{ pointer: "/url", detail: `${where} ${problem}` }],
        details: { sent: false },
      },
    );
  }
  return addresses;
}

/** Every address was checked, so trying the next one after a failed connect opens nothing new. */
async function dialFirst({ url, signal }: Exchange, addresses: readonly string[], dialer: Dialer): Promise<Socket> {
  const failures: unknown[] = [];
  for (const address of addresses) {
    const bound = AbortSignal.any([signal, AbortSignal.timeout(connectTimeoutMs)]);
    const target = {
      address,
      port: portOf(url),
      tls: url.protocol === "https:",
      hostname: canonical(url.hostname),
      signal: bound,
    };
    try {
      return await dialer(target);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  throw new AggregateError(failures, `none of ${addresses.length} addresses accepted a connection`);
}

async function converse(exchange: Exchange, socket: Socket): Promise<GuardedResponse> {
  const { url, request, headers, signal } = exchange;
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

function flattened(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const entries = Object.entries(headers).filter(
    (entry): entry is [string, string | string[]] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value]));
}

function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

/** The query may carry secrets, so messages leave it out. */
function failure(
  { url, request, sent }: Exchange,
  why: string,
  cause: unknown,
  extra: { timedOut?: true } = {},
): BatonError {
  const stage = sent ? "after the request was sent" : "before anything was sent";
  return new BatonError("tool-failed", `${request.method} ${url.origin}${url.pathname} failed ${stage}: ${why}.`, {
    cause,
    details: { sent, ...extra },
  });
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const end = Promise.withResolvers<never>();
  const onAbort = () => end.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, end.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
