/** A whole API for tests: its own database, the real store, live channel, tools and offline model, on a socket. */
import { randomBytes } from "node:crypto";
import { createClient } from "@baton/client";
import type { BatonClient } from "@baton/client";
import { defaultTenantId, uuidv7 } from "@baton/core";
import type { LivePort, WakeUp } from "@baton/core/ports";
import { createPostgresLive } from "@baton/live";
import { createModels, offlineRef } from "@baton/llm";
import { decomposeGoal } from "@baton/orchestrator";
import { openStore } from "@baton/store";
import type { Store } from "@baton/store";
import { createTestDatabase } from "@baton/testing/databases";
import type { TestDatabase } from "@baton/testing/databases";
import { createBuiltinTools, createToolRegistry } from "@baton/tools";
import { createApi, hashApiKey, newApiKey } from "@baton/api";
import type { ApiDeps } from "@baton/api";
import { listen } from "../src/server.ts";
import type { ApiServer } from "../src/server.ts";

export const newId = (): string => uuidv7(Date.now(), randomBytes(10));

export interface Installation {
  readonly database: TestDatabase;
  readonly store: Store;
  readonly live: LivePort;
  readonly deps: ApiDeps;
  readonly server: ApiServer;
  /** A key with the scope admin, in the default tenant. */
  readonly key: string;
  readonly client: BatonClient;
  /** Wake-ups that the store handed over, newest last. */
  readonly wakeUps: WakeUp[];
  /** Live subscriptions that requests hold open. */
  readonly subscriptions: { readonly count: number };
  /** What was logged as an error. */
  readonly errors: unknown[];
  call(
    method: string,
    path: string,
    options?: { body?: unknown; headers?: Record<string, string>; key?: string },
  ): Promise<Response>;
  addKey(scopes: readonly string[], tenantId?: string): Promise<string>;
  close(): Promise<void>;
}

export async function createInstallation(postgresUrl: string, changes: Partial<ApiDeps> = {}): Promise<Installation> {
  const database = await createTestDatabase(postgresUrl);
  const wakeUps: WakeUp[] = [];
  const errors: unknown[] = [];
  const onError = (error: Error) => void errors.push(error);
  const store = await openStore({
    url: database.url,
    applicationName: "api-test",
    newId,
    onError,
    onWakeUps: (byPool) => {
      for (const list of byPool.values()) wakeUps.push(...list);
    },
  });
  const live = createPostgresLive({ store: store.live, onError });
  const subscriptions = { count: 0 };
  const counted: LivePort = Object.create(live, {
    subscribe: {
      value: async (...args: Parameters<LivePort["subscribe"]>) => {
        const subscription = await live.subscribe(...args);
        subscriptions.count += 1;
        return {
          close: async () => {
            subscriptions.count -= 1;
            await subscription.close();
          },
        };
      },
    },
  });
  const models = createModels({ providers: { offline: { latencyMs: 0 } }, defaultModel: offlineRef, now: Date.now });
  const deps: ApiDeps = {
    store,
    live: counted,
    models,
    tools: createToolRegistry({ tools: createBuiltinTools() }),
    decide: async (message) => ({
      orchestrate: message.includes("every"),
      confidence: 1,
      reasons: ["a rule of this test"],
      offline: true,
      traces: [
        {
          type: "orchestration-decided",
          data: {
            orchestrate: message.includes("every"),
            confidence: 1,
            reasons: ["a rule of this test"],
            offline: true,
          },
        },
      ],
    }),
    decompose: (goal, available, { settings: { maxSteps }, model, signal, trace }) =>
      decomposeGoal(goal, available, { models, maxSteps, model, signal, trace }),
    mcpServers: ["archive"],
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (event, fields) => void errors.push({ event, ...fields }),
    },
    metrics: async () => "# of a test\n",
    newId,
    secret: randomBytes(32),
    taskDefaults: {},
    loopLagMs: () => 0,
    workerDisabled: false,
    version: "0.0.0-test",
    planWaitMs: 30_000,
    heartbeatMs: 15_000,
    pollMs: 1_000,
    ...changes,
  };
  const addKey = async (scopes: readonly string[], tenantId: string = defaultTenantId) => {
    const key = newApiKey();
    await store.createApiKey({ tenantId, keyId: newId(), name: "test", hash: hashApiKey(key), scopes });
    return key;
  };
  const key = await addKey(["admin"]);
  const server = await listen(createApi(deps), { host: "127.0.0.1", port: 0 });
  return {
    database,
    store,
    live,
    deps,
    server,
    key,
    client: createClient({ baseUrl: server.url, apiKey: key }),
    wakeUps,
    subscriptions,
    errors,
    addKey,
    call: (method, path, { body, headers = {}, key: as = key } = {}) =>
      fetch(`${server.url}${path}`, {
        method,
        redirect: "manual",
        headers: {
          ...(as === "" ? {} : { authorization: `Bearer ${as}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : {
              body:
                typeof body === "string" || body instanceof Uint8Array
                  ? (body as NonNullable<RequestInit["body"]>)
                  : JSON.stringify(body),
            }),
      }),
    async close() {
      await server.close(0);
      await live.close();
      await store.close();
      await database.drop();
    },
  };
}
