import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { BatonClientError, createClient } from "@baton/client";
import { afterEach, describe, expect, it } from "vitest";

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

let server: Server | undefined;
const seen: IncomingMessage[] = [];
const waits: number[] = [];

async function clientOf(answers: readonly Answer[]) {
  const left = [...answers];
  seen.length = 0;
  waits.length = 0;
  server = createServer((request, response) => {
    seen.push(request);
    request.resume();
    const answer = left.shift() ?? { status: 500 };
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body ?? {}));
  });
  await new Promise<void>((resolve) => void server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return createClient({
    baseUrl: `http://127.0.0.1:${port}`,
    apiKey: "k",
    maxRetries: 2,
    wait: async (ms) => void waits.push(ms),
  });
}

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise<void>((resolve) => (server === undefined ? resolve() : void server.close(() => resolve())));
  server = undefined;
});

const busy: Answer = {
  status: 503,
  headers: { "retry-after": "2" },
  body: { code: "store-unavailable", detail: "away" },
};
const created = { status: 202, body: { id: "x", kind: "goal", state: "planning" } };

describe("a 503", () => {
  it("is asked again after Retry-After, a POST with the same Idempotency-Key", async () => {
    const client = await clientOf([busy, busy, created]);
    expect(await client.createTask({ goal: "g" })).toEqual(created.body);
    const keys = seen.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(waits).toEqual([2_000, 2_000]);
  });

  it("ends as the server's own error when it does not pass", async () => {
    const client = await clientOf([busy, busy, busy, created]);
    const error = await client.createTask({ goal: "g" }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BatonClientError);
    expect(error).toMatchObject({ code: "store-unavailable", status: 503, message: "away" });
    expect(seen).toHaveLength(3);
  });

  it("without Retry-After, or on a POST without a key, is not asked again", async () => {
    await expect((await clientOf([{ ...busy, headers: {} }])).getTask("x")).rejects.toMatchObject({ status: 503 });
    expect(seen).toHaveLength(1);
    server?.closeAllConnections();
    server?.close();
    await expect(
      (await clientOf([busy])).request("createKey", { body: { name: "n", scopes: ["read"] } }),
    ).rejects.toMatchObject({ status: 503 });
    expect(seen).toHaveLength(1);
  });
});

describe("every other failure", () => {
  it.each([400, 409, 422, 500])("%i is an error at once", async (status) => {
    const client = await clientOf([
      { status, headers: { "retry-after": "1" }, body: { code: "invalid-request", detail: "no" } },
    ]);
    await expect(client.createTask({ goal: "g" })).rejects.toMatchObject({ code: "invalid-request", status });
    expect(seen).toHaveLength(1);
  });

  it("an answer that is not Baton's is `unreadable`, none at all is `unreachable`", async () => {
    await expect((await clientOf([{ status: 502, body: "<html>" }])).getTask("x")).rejects.toMatchObject({
      code: "unreadable",
      status: 502,
    });
    server?.closeAllConnections();
    await new Promise<void>((resolve) => void server?.close(() => resolve()));
    const { port } = { port: 1 };
    server = undefined;
    await expect(createClient({ baseUrl: `http://127.0.0.1:${port}` }).getTask("x")).rejects.toMatchObject({
      code: "unreachable",
      status: 0,
    });
  });
});
