/**
 * Eight clients with stores and models of their own, as worker processes have them, over one provider with a limit: together
 * they send what it allows, and nothing that it refuses.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { BatonError, uuidv7 } from "@baton/core";
import type { ModelPort, ModelRequest } from "@baton/core/ports";
import { createModels } from "@baton/llm";
import { openStore, type Store } from "@baton/store";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import { type ModelServer, startModelServer } from "@baton/testing/model-server";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

const limitPerMinute = 600;
const perClient = 20;
const clientCount = 8;
const model = { provider: "anthropic", model: "claude-haiku-4-5" };
const ungated = { provider: "anthropic", model: "claude-sonnet-4-5" };

let database: TestDatabase;
let server: ModelServer;
let stores: Store[];
beforeAll(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
  const limit = { requests: limitPerMinute, filled: 0.1 };
  server = await startModelServer({
    limits: { [model.model]: limit, [ungated.model]: limit },
    fallback: { text: "Yes.", delayMs: 50 },
  });
  const newId = () => uuidv7(Date.now(), randomBytes(10));
  const open = () =>
    openStore({
      url: database.url,
      applicationName: "client",
      newId,
      onError: () => undefined,
      onWakeUps: () => undefined,
      maxConnections: 2,
    });
  stores = await Promise.all(Array.from({ length: clientCount }, open));
});
afterAll(async () => {
  for (const store of stores ?? []) await store.close();
  await server?.close();
  await database?.drop();
});

const clientOf = (gate: Store["gate"] | undefined): ModelPort =>
  createModels({
    providers: { anthropic: { apiKey: "test", baseUrl: server.url } },
    defaultModel: model,
    now: Date.now,
    ...(gate !== undefined && { gate }),
  });

const request = (ref: typeof model): ModelRequest => ({
  model: ref,
  brief: { kind: "reply", message: "hello", history: [] },
  messages: [{ role: "user", content: "hello" }],
  signal: new AbortController().signal,
  onDelta: () => undefined,
});

/** Asks until it is answered, and comes back when it is told to, as a step does. */
async function answered(client: ModelPort): Promise<void> {
  for (;;) {
    try {
      await client.generate(request(model));
      return;
    } catch (error) {
      if (!(error instanceof BatonError)) throw error;
      await delay(Number(error.details["retryAfterMs"]));
    }
  }
}

const sent = (ref: typeof model) => server.requests.filter(({ body }) => body["model"] === ref.model);

describe("eight clients with twenty calls each, against 600 requests a minute of which 60 are there", () => {
  it("without the gate send all of them, and most are refused", async () => {
    const clients = Array.from({ length: clientCount }, () => clientOf(undefined));
    const calls = clients.flatMap((client) =>
      Array.from({ length: perClient }, () => client.generate(request(ungated))),
    );
    const ended = await Promise.allSettled(calls);
    const refused = ended.filter(({ status }) => status === "rejected").length;
    expect(refused).toBeGreaterThan((clientCount * perClient) / 3);
  });

  it("through the gate send each once, as fast as it is allowed", { timeout: 60_000 }, async () => {
    const clients = stores.map(({ gate }) => clientOf(gate));
    const began = performance.now();
    await Promise.all(clients.flatMap((client) => Array.from({ length: perClient }, () => answered(client))));
    const seconds = (performance.now() - began) / 1_000;
    const refused = sent(model).length - clientCount * perClient;
    console.info(`${sent(model).length} requests in ${seconds.toFixed(1)} s, ${refused} of them refused`);
    expect(refused).toBeLessThanOrEqual(3);
    // 100 of 160 have to wait for a limit of ten a second.
    expect(seconds).toBeGreaterThan(8);
    expect(seconds).toBeLessThan(25);
  });
});
