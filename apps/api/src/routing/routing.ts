/**
 * From the route table to an HTTP application.
 *
 * Purpose: what every route has in common, in one order: key, scope, parameters, body, Idempotency-Key,
 * the route's own code, the answer. Boundary: knows no route by name.
 *
 * 1. Nothing of a route runs before its request was found valid.
 * 2. Every error leaves as problem+json with the requestId that the log has.
 * 3. A path that exists answers a wrong method with 405 and Allow.
 */
import { routes, validate } from "@baton/contracts";
import type { OperationId, RouteShape } from "@baton/contracts";
import { BatonError } from "@baton/core";
import { findUnstorable } from "@baton/core/json";
import type { LogPort } from "@baton/core/ports";
import type { ClientStore, IdempotencyRef } from "@baton/store";
import { Hono } from "hono";
import { presentedKey, principalOf, requireScope } from "../access/api-key.ts";
import type { Principal } from "../access/api-key.ts";
import { readJsonBody } from "../request/json-body.ts";
import { problemOf, problemResponse } from "../request/problem.ts";
import { queryOf } from "../request/query.ts";
import type { RouteCode, StreamOfTask } from "./call.ts";
import type { KeyReturns } from "./key-returns.ts";
import { readIdempotencyKey, requestHash, storedStream, takeKey } from "./idempotency.ts";

export interface RoutingDeps {
  readonly store: ClientStore;
  readonly log: LogPort;
  readonly newId: () => string;
  readonly code: RouteCode;
  readonly keys: KeyReturns;
  readonly openStream: (stream: StreamOfTask, principal: Principal, request: Request) => Promise<Response>;
}

interface Reading {
  readonly principal: Principal;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly bytes: Uint8Array;
}

type AnyReply = StreamOfTask | Response | { status: number; body: unknown; headers?: Readonly<Record<string, string>> };
type AnyCode = (
  call: Reading & {
    readonly request: Request;
    readonly idempotency: IdempotencyRef | undefined;
    readonly createdTaskId: string | undefined;
  },
) => Promise<AnyReply>;

function paramsOf(route: RouteShape, given: Record<string, string>): unknown {
  if (route.params === undefined) return undefined;
  const parsed = route.params.safeParse(given);
  if (parsed.success && findUnstorable(given) === undefined) return parsed.data;
  throw new BatonError("not-found", `Nothing has this id. Check the id in the path ${route.path}.`);
}

async function bodyOf(route: RouteShape, request: Request): Promise<{ body: unknown; bytes: Uint8Array }> {
  if (route.body === undefined) return { body: undefined, bytes: new Uint8Array(0) };
  const { value, bytes } = await readJsonBody(request, route.bodyLimitBytes);
  if (value === undefined) {
    if (route.bodyOptional) return { body: undefined, bytes };
    throw new BatonError("invalid-json", "The body is empty; send a JSON object.");
  }
  return { body: validate(route.body, value, "body"), bytes };
}

async function read(
  deps: RoutingDeps,
  route: RouteShape,
  request: Request,
  given: Record<string, string>,
): Promise<Reading> {
  const principal = route.scope === "none" ? nobody : await principalOf(deps.store, presentedKey(request.headers));
  if (route.scope !== "none") requireScope(principal, route.scope);
  const params = paramsOf(route, given);
  const query = queryOf(new URL(request.url));
  const checked = route.query === undefined ? undefined : validate(route.query, query, "query");
  return { principal, params, query: checked, ...(await bodyOf(route, request)) };
}

const nobody: Principal = { tenantId: "", keyId: "", name: "", scopes: new Set() };

function plainResponse(reply: Exclude<AnyReply, StreamOfTask>): Response {
  if (reply instanceof Response) return reply;
  return new Response(JSON.stringify(reply.body), {
    status: reply.status,
    headers: { "content-type": "application/json", ...reply.headers },
  });
}

/** Runs the route under its Idempotency-Key and keeps what it answered. */
async function answerOnce(
  deps: RoutingDeps,
  code: AnyCode,
  reading: Reading,
  request: Request,
  ref: IdempotencyRef,
): Promise<Response> {
  const hash = requestHash(new URL(request.url), reading.bytes);
  const key = await takeKey(deps.store, ref, hash).catch(async (error: unknown) => {
    // It may be ours all the same, and nobody would know.
    if (isUnavailable(error)) await deps.keys.giveBack(ref);
    throw error;
  });
  if (key.taken === "before") return await replayed(deps, key.answer, reading.principal, request);
  let reply: AnyReply;
  try {
    reply = await code({ ...reading, request, idempotency: ref, createdTaskId: key.createdTaskId });
  } catch (error) {
    await keepFailure(deps, ref, error);
    throw error;
  }
  if ("stream" in reply) {
    await deps.store.finishIdempotent(ref, storedStream(reply));
    return await deps.openStream(reply, reading.principal, request);
  }
  const response = plainResponse(reply);
  const body = await response.clone().text();
  await deps.store.finishIdempotent(ref, {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body,
  });
  return response;
}

async function replayed(
  deps: RoutingDeps,
  kept: Response | StreamOfTask,
  principal: Principal,
  request: Request,
): Promise<Response> {
  const response = "stream" in kept ? await deps.openStream(kept, principal, request) : kept;
  response.headers.set("idempotency-replayed", "true");
  return response;
}

/** A request that created a task keeps its answer, even a bad one; any other gives its key back. */
async function keepFailure(deps: RoutingDeps, ref: IdempotencyRef, error: unknown): Promise<void> {
  if (error instanceof BatonError && error.details["taskId"] !== undefined) {
    const problem = problemOf(error, deps.newId());
    const headers = { "content-type": "application/problem+json" };
    await deps.store.finishIdempotent(ref, { status: problem.status, headers, body: JSON.stringify(problem) });
    return;
  }
  await deps.keys.giveBack(ref);
}

const isUnavailable = (error: unknown): boolean => error instanceof BatonError && error.code === "store-unavailable";

async function answer(
  deps: RoutingDeps,
  id: OperationId,
  request: Request,
  given: Record<string, string>,
): Promise<Response> {
  const route: RouteShape = routes[id];
  const code = deps.code[id] as unknown as AnyCode;
  const reading = await read(deps, route, request, given);
  const key = route.idempotent ? readIdempotencyKey(request.headers) : undefined;
  if (key !== undefined) {
    const { tenantId } = reading.principal;
    const ref = { tenantId, route: `${route.method} ${route.path}`, key, holder: deps.newId() };
    return answerOnce(deps, code, reading, request, ref);
  }
  const reply = await code({ ...reading, request, idempotency: undefined, createdTaskId: undefined });
  return "stream" in reply ? deps.openStream(reply, reading.principal, request) : plainResponse(reply);
}

/** Logs what is not the caller's fault and answers every error. */
export function errorAnswer(log: LogPort, newId: () => string, error: unknown, request: Request): Response {
  const problem = problemOf(error, newId());
  // Whoever left is owed nothing, and what broke off because of that is no fault.
  if (problem.status >= 500 && !request.signal.aborted) {
    log.error("request-failed", {
      requestId: problem.requestId,
      method: request.method,
      path: new URL(request.url).pathname,
      code: problem.code,
      error,
    });
  }
  return problemResponse(problem);
}

export function routesAsHono(deps: RoutingDeps): Hono {
  const app = new Hono();
  const fail = (error: unknown, request: Request) => errorAnswer(deps.log, deps.newId, error, request);
  const allowed = new Map<string, string[]>();
  for (const [id, route] of Object.entries<RouteShape>(routes)) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ":$1");
    app.on(route.method, path, async (context) => {
      try {
        return await answer(deps, id as OperationId, context.req.raw, context.req.param() as Record<string, string>);
      } catch (error) {
        return fail(error, context.req.raw);
      }
    });
    allowed.set(path, [...(allowed.get(path) ?? []), ...(route.method === "GET" ? ["GET", "HEAD"] : [route.method])]);
  }
  for (const [path, methods] of allowed) {
    const allow = methods.join(", ");
    app.all(path, (context) => {
      const error = new BatonError("method-not-allowed", `${context.req.method} is not allowed here; use ${allow}.`);
      return problemResponse(problemOf(error, deps.newId()), { allow });
    });
  }
  app.notFound((context) => {
    const error = new BatonError(
      "not-found",
      `There is no route ${context.req.path.slice(0, 200)}; /docs lists them all.`,
    );
    return problemResponse(problemOf(error, deps.newId()));
  });
  app.onError((error, context) => fail(error, context.req.raw));
  return app;
}
