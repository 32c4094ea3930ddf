/**
 * One request of the route table.
 *
 * 1. The only repeated answer is 503 with Retry-After, and only where repeating is safe: reads, deletes,
 *    and what carries an Idempotency-Key, which stays the same.
 * 2. Answers are trusted to be what the contracts say; a newer server may add fields.
 */
import { routes } from "@baton/contracts";
import type { OperationId, RouteInput, RouteOutput, Routes, RouteShape } from "@baton/contracts";
import { BatonClientError, errorOf } from "./error.ts";

type Field<Name extends string, Value> = [Value] extends [undefined]
  ? { readonly [K in Name]?: undefined }
  : Record<string, never> extends Value
    ? { readonly [K in Name]?: Value | undefined }
    : { readonly [K in Name]: Value };

export type RequestInput<Id extends OperationId> = Field<"params", RouteInput<Id, "params">> &
  Field<"query", RouteInput<Id, "query">> &
  (Routes[Id] extends { readonly bodyOptional: true }
    ? { readonly body?: RouteInput<Id, "body"> }
    : Field<"body", RouteInput<Id, "body">>) &
  RequestOptions;

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Made up when absent, for every route that takes one. */
  readonly idempotencyKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface ClientOptions {
  /** Where the api listens, e.g. `http://127.0.0.1:3000`. */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** How often a 503 is asked again; 4 unless told. */
  readonly maxRetries?: number;
  /** Waits; tests hand in their own. */
  readonly wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

const longestWaitMs = 30_000;

export async function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Retry-After in ms (RFC 9110 §10.2.3), or undefined when there is none to obey. */
function retryAfterMs(response: Response, nowMs: number): number | undefined {
  const header = response.headers.get("retry-after");
  if (response.status !== 503 || header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(longestWaitMs, Math.max(0, ms));
}

interface LooseInput extends RequestOptions {
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: unknown;
}

function urlOf(baseUrl: string, route: RouteShape, input: LooseInput): string {
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
    encodeURIComponent(input.params?.[name] ?? ""),
  );
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input.query ?? {}))
    if (value !== undefined) query.set(name, String(value));
  const search = query.size === 0 ? "" : `?${query.toString()}`;
  return `${baseUrl.replace(/\/+$/, "")}${path}${search}`;
}

function initOf(route: RouteShape, input: LooseInput, options: ClientOptions): RequestInit {
  const headers: Record<string, string> = { accept: "application/json", ...input.headers };
  if (options.apiKey !== undefined) headers["authorization"] = `Bearer ${options.apiKey}`;
  if (route.idempotent) headers["idempotency-key"] = input.idempotencyKey ?? crypto.randomUUID();
  const hasBody = input.body !== undefined;
  if (hasBody) headers["content-type"] = "application/json";
  return {
    method: route.method,
    headers,
    ...(hasBody ? { body: JSON.stringify(input.body) } : {}),
    ...(input.signal === undefined ? {} : { signal: input.signal }),
  };
}

/** @throws BatonClientError, or the signal's reason */
export async function send<Id extends OperationId>(
  options: ClientOptions,
  id: Id,
  input: RequestInput<Id>,
): Promise<Response> {
  const route: RouteShape = routes[id];
  const given = input as LooseInput;
  const url = urlOf(options.baseUrl, route, given);
  const init = initOf(route, given, options);
  const call = options.fetch ?? fetch;
  const repeatable = route.method !== "POST" || route.idempotent === true;
  for (let retry = 0; ; retry++) {
    let response: Response;
    try {
      response = await call(url, init);
    } catch (cause) {
      if (given.signal?.aborted) throw cause;
      throw new BatonClientError("unreachable", `No answer came from ${options.baseUrl}.`, { cause });
    }
    if (response.ok) return response;
    const waitMs = retryAfterMs(response, Date.now());
    if (waitMs === undefined || !repeatable || retry >= (options.maxRetries ?? 4)) throw await errorOf(response);
    await response.body?.cancel();
    await (options.wait ?? waitFor)(waitMs, given.signal);
  }
}

export async function request<Id extends OperationId>(
  options: ClientOptions,
  id: Id,
  input: RequestInput<Id>,
): Promise<RouteOutput<Id>> {
  const response = await send(options, id, input);
  if (response.status === 204) return undefined as RouteOutput<Id>;
  try {
    return (await response.json()) as RouteOutput<Id>;
  } catch (cause) {
    if ((input as LooseInput).signal?.aborted) throw cause;
    throw new BatonClientError("unreadable", `The answer of ${id} is not JSON.`, { status: response.status, cause });
  }
}
