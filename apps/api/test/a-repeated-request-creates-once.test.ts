import { problem } from "@baton/contracts";
import { BatonError } from "@baton/core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Api, ApiDeps } from "@baton/api";
import { createApi } from "@baton/api";
import { claim, completed, settle } from "./claims.ts";
import { createInstallation } from "./installation.ts";
import type { Installation } from "./installation.ts";

let at: Installation;
beforeAll(async () => {
  at = await createInstallation(inject("postgresUrl"), { planWaitMs: 20 });
  await at.store.openSession({
    pools: ["default", "interactive"],
    slots: 10,
    tools: [],
    version: "test",
    role: "worker",
    beatMs: 1_000,
    leaseMs: 30_000,
  });
});
afterAll(() => at?.close());

let serial = 0;
const newKey = () => `key-${serial++}`;
const post = (path: string, body: unknown, key: string, headers: Record<string, string> = {}) =>
  at.call("POST", path, { body, headers: { "idempotency-key": key, ...headers } });
const chat = {
  id: "idempotent",
  message: { id: "m1", role: "user", parts: [{ type: "text", text: "hello" }] },
  toolChoice: "none",
};
const taskCount = async () => (await at.database.rowCounts())["task_execution"];

/** The same world, in which one store verb of ours dies the way a lost connection makes it die. */
function dyingApi(changes: Partial<ApiDeps["store"]>): Api {
  return createApi({ ...at.deps, store: { ...at.deps.store, ...changes } });
}
const ask = (api: Api, body: unknown, key: string) =>
  api.fetch(
    new Request("http://api.test/api/v1/tasks", {
      method: "POST",
      headers: { authorization: `Bearer ${at.key}`, "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify(body),
    }),
  );

describe("an Idempotency-Key", () => {
  it.each([
    ["/api/v1/tasks", { goal: "g" }],
    ["/orchestrate", { goal: "list every file" }],
    [
      "/api/chat",
      { ...chat, toolChoice: "auto", message: { role: "user", parts: [{ type: "text", text: "every file" }] } },
    ],
  ])("on %s answers a repeat with the first answer, status and Location, and creates nothing", async (path, body) => {
    const key = newKey();
    const first = await post(path, body, key);
    const text = await first.text();
    const before = await at.database.rowCounts();
    const second = await post(path, body, key);
    expect([second.status, await second.text(), second.headers.get("location")]).toEqual([
      first.status,
      text,
      first.headers.get("location"),
    ]);
    expect([first.headers.get("idempotency-replayed"), second.headers.get("idempotency-replayed")]).toEqual([
      null,
      "true",
    ]);
    expect(await at.database.rowCounts()).toEqual(before);
  });

  it("means the same bare and quoted, and belongs to its route and tenant", async () => {
    const key = newKey();
    const { id } = (await (await post("/api/v1/tasks", { goal: "g" }, key)).json()) as { id: string };
    expect(await (await post("/api/v1/tasks", { goal: "g" }, `"${key}"`)).json()).toMatchObject({ id });
    expect((await post("/orchestrate", { goal: "g" }, key)).headers.get("idempotency-replayed")).toBeNull();
  });

  it("with another body is 422, and the first body still works", async () => {
    const key = newKey();
    await post("/api/v1/tasks", { goal: "g" }, key);
    const other = await post("/api/v1/tasks", { goal: "h" }, key);
    expect([other.status, problem.parse(await other.json()).code]).toEqual([422, "idempotency-key-reused"]);
    expect((await post("/api/v1/tasks", { goal: "g" }, key)).status).toBe(202);
  });

  it("used by ten requests at once creates one task; the others wait with 409 or get the answer", async () => {
    const key = newKey();
    const before = (await taskCount()) ?? 0;
    const answers = await Promise.all(Array.from({ length: 10 }, () => post("/api/v1/tasks", { goal: "g" }, key)));
    expect(new Set(answers.map(({ status }) => status)).has(202)).toBe(true);
    for (const answer of answers) {
      if (answer.status !== 202) expect(problem.parse(await answer.json()).code).toBe("idempotency-key-in-flight");
    }
    expect(await taskCount()).toBe(before + 1);
  });

  it("is not used up by a request that was refused after it was taken", async () => {
    const key = newKey();
    const refused = await post("/api/v1/tasks", { goal: "g", settings: { model: { provider: "x", model: "y" } } }, key);
    expect(refused.status).toBe(422);
    expect((await post("/api/v1/tasks", { goal: "g" }, key)).status).toBe(202);
  });

  it("opens the same reply's stream again for a repeated chat message", async () => {
    const key = newKey();
    const first = await post("/api/chat", { ...chat, id: "a thread of its own" }, key);
    const before = await at.database.rowCounts();
    const second = await post("/api/chat", { ...chat, id: "a thread of its own" }, key);
    const [task] = await at.store.listTasks({
      tenantId: "00000000-0000-7000-8000-000000000001",
      kind: "reply",
      limit: 1,
    });
    await settle(at, await claim(at, task?.taskId as string), completed({ text: "Hello." }));
    expect(second.headers.get("x-vercel-ai-ui-message-stream")).toBe("v1");
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    for (const text of [await first.text(), await second.text()]) {
      expect(text).toContain("Hello.");
      expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    }
    expect((await at.database.rowCounts())["task_execution"]).toBe(before["task_execution"]);
    const third = await post("/api/chat", { ...chat, id: "a thread of its own" }, key);
    expect(await third.text()).toContain("Hello.");
  });

  it("whose api died between the task and its answer is answered from the task", async () => {
    const key = newKey();
    const gone = new BatonError("store-unavailable", "The database went away.");
    const died = await ask(dyingApi({ finishIdempotent: () => Promise.reject(gone) }), { goal: "g" }, key);
    expect([died.status, died.headers.get("retry-after")]).toEqual([503, "2"]);
    const before = await taskCount();
    const again = await post("/api/v1/tasks", { goal: "g" }, key);
    expect(again.status).toBe(202);
    expect(await taskCount()).toBe(before);
  });
});

describe("an Idempotency-Key of a request that failed in an outage", () => {
  const gone = new BatonError("store-unavailable", "The database went away.");
  /** Answers from the third call on. */
  const awayTwice = (): ApiDeps["store"]["dropIdempotent"] => {
    let calls = 0;
    return (ref) => (++calls <= 2 ? Promise.reject(gone) : at.store.dropIdempotent(ref));
  };
  /** Long before a minute has passed, after which it would be free in any case. */
  const untilAccepted = (key: string) =>
    expect
      .poll(async () => (await post("/api/v1/tasks", { goal: "g" }, key)).status, { timeout: 30_000, interval: 200 })
      .toBe(202);

  it("is given back when the store answers again", async () => {
    const key = newKey();
    const api = dyingApi({ createTask: () => Promise.reject(gone), dropIdempotent: awayTwice() });
    expect((await ask(api, { goal: "g" }, key)).status).toBe(503);
    expect((await post("/api/v1/tasks", { goal: "g" }, key)).status).toBe(409);
    await untilAccepted(key);
  });

  it("is given back also when only the word of its taking was lost", async () => {
    const key = newKey();
    const before = await taskCount();
    const api = dyingApi({
      startIdempotent: async (ref, hash) => {
        await at.store.startIdempotent(ref, hash);
        throw gone;
      },
      dropIdempotent: awayTwice(),
    });
    expect((await ask(api, { goal: "g" }, key)).status).toBe(503);
    await untilAccepted(key);
    expect(await taskCount()).toBe((before ?? 0) + 1);
  });
});

describe("a store that is away", () => {
  it("is 503 with Retry-After, whatever was asked, and the code says so", async () => {
    const gone = () => Promise.reject(new BatonError("store-unavailable", "The database went away."));
    const api = dyingApi({ createTask: gone, getTask: gone, ping: gone });
    const answer = await ask(api, { goal: "g" }, newKey());
    expect([answer.status, answer.headers.get("retry-after"), problem.parse(await answer.json()).code]).toEqual([
      503,
      "2",
      "store-unavailable",
    ]);
    expect((await api.fetch(new Request("http://api.test/health/ready"))).status).toBe(503);
    expect((await api.fetch(new Request("http://api.test/health/live"))).status).toBe(200);
  });

  it("a fault of ours is 500 without its inside, and the log has it under the same requestId", async () => {
    const inside = new Error("secret place");
    const api = dyingApi({ createTask: () => Promise.reject(inside) });
    at.errors.length = 0;
    const answer = await ask(api, { goal: "g" }, newKey());
    const text = await answer.text();
    expect([answer.status, problem.parse(JSON.parse(text)).code]).toEqual([500, "internal"]);
    expect(text).not.toContain("secret");
    expect(at.errors).toMatchObject([
      { event: "request-failed", requestId: (JSON.parse(text) as { requestId: string }).requestId, error: inside },
    ]);
  });
});
