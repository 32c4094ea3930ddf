import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createClient } from "@baton/client";
import type { BatonClient, UiPart } from "@baton/client";
import { newApiKey } from "@baton/api";
import { createTestDatabase } from "@baton/testing/databases";
import type { TestDatabase } from "@baton/testing/databases";
import { startTestRedis } from "@baton/testing/servers";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

let database: TestDatabase;
let api: ChildProcess;
let url: string;
let client: BatonClient;
const key = newApiKey();

async function start(env: Record<string, string>): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL("../src/main.ts", import.meta.url))], {
    env: {
      PATH: process.env["PATH"] ?? "",
      DATABASE_URL: database.url,
      BATON_PORT: "0",
      BATON_API_KEY: key,
      BATON_LOG_LEVEL: "info",
      ...env,
    },
    stdio: ["ignore", "inherit", "pipe"],
  });
  for await (const line of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
    const entry = line.startsWith("{") ? (JSON.parse(line) as { event?: string; url?: string }) : {};
    if (entry.event === "api-started" && entry.url !== undefined) {
      child.stderr?.resume();
      return { child, url: entry.url };
    }
  }
  throw new Error("the api ended before it listened");
}

beforeAll(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
  ({ child: api, url } = await start({}));
  client = createClient({ baseUrl: url, apiKey: key });
});
afterAll(async () => {
  api?.kill("SIGKILL");
  await database?.drop();
});

describe("the api process", () => {
  it("plans a goal itself, without any worker, and answers with the steps", async () => {
    const goal =
      "Read every Markdown file below docs, summarise each one, and write a report that lists the decisions they contain";
    const started = await client.request("orchestrate", { body: { goal } });
    expect(started.strategy.totalSteps).toBeGreaterThan(1);
    expect(started.strategy.steps.map(({ id }) => id).length).toBe(started.strategy.totalSteps);
    expect(started.estimatedDuration).toBeGreaterThan(0);
    const why = await client.request("whyTask", { params: { id: started.taskId } });
    expect(why.waits.length).toBeGreaterThan(0);
    await client.cancelTask(started.taskId);
  });

  it("says what can be planned when a goal cannot, and names the task", async () => {
    const failure = await client
      .request("orchestrate", { body: { goal: "Compose a symphony in four movements" } })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "offline-cannot-plan",
      status: 422,
      problem: { taskId: expect.any(String) },
    });
  });

  it("plans in a process of its own when processes have died of that plan", async () => {
    await database.execute("alter table baton.task_execution_step alter column crash_count set default 2");
    try {
      const goal = "Read every Markdown file below docs, summarise each one, and write a report";
      const { taskId, strategy } = await client.request("orchestrate", { body: { goal } });
      expect(strategy.totalSteps).toBeGreaterThan(1);
      const [trace] = await database.read<{ pid: number }>(
        "select (data->>'pid')::int as pid from baton.task_execution_trace where task_id = $1 and type = 'attempt-isolated'",
        [taskId],
      );
      expect(trace?.pid).toBeGreaterThan(0);
      expect(trace?.pid).not.toBe(api.pid);
      await client.cancelTask(taskId);
    } finally {
      await database.execute("alter table baton.task_execution_step alter column crash_count set default 0");
    }
  });

  it("answers a simple message itself, as a stream that ends", async () => {
    const answer = await client.chat({
      id: "a thread",
      message: { role: "user", parts: [{ type: "text", text: "hello" }] },
    });
    if (answer.answered !== "stream") throw new Error("expected a stream");
    const parts: UiPart[] = [];
    for await (const part of answer.parts) parts.push(part);
    expect(parts.at(-1)?.type).toBe("finish");
    expect(parts.some(({ type }) => type === "text-delta")).toBe(true);
    expect(parts[0]?.type).toBe("start");
  });

  it("becomes ready without workers and says so", async () => {
    expect(await client.request("ready", {})).toEqual({
      status: "ready",
      checks: { store: "ok", workers: "none", eventLoop: "ok" },
      eventLoopLagMs: expect.any(Number),
    });
  });
});

describe("the queue board", () => {
  const board = (path: string, init: RequestInit = {}) => fetch(`${url}${path}`, { redirect: "manual", ...init });
  const form = (value: string, headers: Record<string, string> = {}) =>
    board("/admin/login", {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      body: new URLSearchParams({ key: value }).toString(),
    });

  it("is closed without a key: a browser is sent to the form, a program gets 401", async () => {
    const page = await board("/admin/queues", { headers: { accept: "text/html" } });
    expect([page.status, page.headers.get("location")]).toEqual([303, "/admin/login"]);
    expect((await board("/admin/queues/api/queues")).status).toBe(401);
    expect((await form("baton_wrong")).status).toBe(401);
    expect(
      (await board("/admin/queues/api/queues", { headers: { cookie: "baton_board=a.9999999999999.b" } })).status,
    ).toBe(401);
  });

  it("opens by the form, with a cookie that scripts and other sites cannot use", async () => {
    const login = await form(key);
    const cookie = login.headers.get("set-cookie") ?? "";
    expect(login.status).toBe(303);
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Strict/);
    expect(cookie).not.toContain(key);
    const headers = { cookie: cookie.split(";")[0] ?? "" };
    const page = await board("/admin/queues", { headers });
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("__UI_CONFIG__");
    const queues = (await (await board("/admin/queues/api/queues", { headers })).json()) as {
      queues: { name: string }[];
    };
    expect(queues.queues.length).toBeGreaterThanOrEqual(2);
    const script = /static\/js\/main[^"]+/.exec(await (await board("/admin/queues", { headers })).text())?.[0];
    expect((await board(`/admin/queues/${script}`, { headers })).status).toBe(200);
    const foreign = await board("/admin/queues/api/queues/pause", {
      method: "PUT",
      headers: { ...headers, "sec-fetch-site": "cross-site" },
    });
    expect(foreign.status).toBe(403);
    expect((await form(key, { origin: "https://elsewhere.example" })).status).toBe(401);
  });

  it("takes headers and HTTP Basic, is read-only without admin, and shut to a revoked key", async () => {
    const created = await client.request("createKey", { body: { name: "reader", scopes: ["read"] } });
    const basic = { authorization: `Basic ${Buffer.from(`anyone:${created.key}`).toString("base64")}` };
    expect((await board("/admin/queues/api/queues", { headers: basic })).status).toBe(200);
    expect((await board("/admin/queues/api/queues", { headers: { "x-api-key": created.key } })).status).toBe(200);
    for (const method of ["PUT", "POST", "PATCH", "DELETE"]) {
      expect(
        (await board("/admin/queues/api/queues/x/clean/completed", { method, headers: basic })).status,
        method,
      ).toBe(403);
    }
    const writer = await client.request("createKey", { body: { name: "writer", scopes: ["write"] } });
    expect((await board("/admin/queues/api/queues", { headers: { "x-api-key": writer.key } })).status).toBe(401);
    await client.request("revokeKey", { params: { id: created.id } });
    expect((await board("/admin/queues/api/queues", { headers: basic })).status).toBe(401);
  });
});

const noRedis = inject("redisUnavailable");

it.skipIf(noRedis !== "")(`on Redis it does the same${noRedis === "" ? "" : ` [skipped: ${noRedis}]`}`, async () => {
  const redis = await startTestRedis();
  if ("unavailable" in redis) throw new Error(redis.unavailable);
  try {
    const { child, url: other } = await start({ REDIS_URL: redis.url });
    const mine = createClient({ baseUrl: other, apiKey: key });
    const { strategy } = await mine.request("orchestrate", {
      body: { goal: "Read every Markdown file below docs and summarise each one" },
    });
    expect(strategy.totalSteps).toBeGreaterThan(1);
    const answer = await mine.chat({
      id: "on redis",
      message: { role: "user", parts: [{ type: "text", text: "hello" }] },
    });
    if (answer.answered !== "stream") throw new Error("expected a stream");
    const types: string[] = [];
    for await (const { type } of answer.parts) types.push(type);
    expect(types.slice(-2)).toEqual(["finish-step", "finish"]);
    const queues = await fetch(`${other}/admin/queues/api/queues`, { headers: { "x-api-key": key } });
    expect(queues.status).toBe(200);
    child.kill("SIGTERM");
    expect((await once(child, "exit"))[0]).toBe(0);
  } finally {
    await redis.close();
  }
});

it("takes the cursors of another process, though that one spells the database's address differently", async () => {
  for (const id of ["a", "b"]) await client.createTask({ plan: { steps: [{ id, type: "tool", tool: "clock.now" }] } });
  const spelled = new URL(database.url);
  spelled.searchParams.set("application_name", "elsewhere");
  const { child, url: other } = await start({ DATABASE_URL: spelled.href });
  const page = async (at: string, query: string) =>
    (await (await fetch(`${at}/api/v1/tasks?limit=1${query}`, { headers: { "x-api-key": key } })).json()) as {
      tasks: { id: string }[];
      nextCursor?: string;
    };
  const first = await page(url, "");
  const second = await page(other, `&cursor=${encodeURIComponent(first.nextCursor ?? "")}`);
  expect(second.tasks).toHaveLength(1);
  expect(second.tasks[0]?.id).not.toBe(first.tasks[0]?.id);
  child.kill("SIGTERM");
  expect((await once(child, "exit"))[0]).toBe(0);
});

describe("leaving", () => {
  it("ends with 0 on SIGTERM although a stream is open", async () => {
    const { child, url: other } = await start({ BATON_GRACE_MS: "0" });
    const mine = createClient({ baseUrl: other, apiKey: key });
    const { id } = await mine.createTask({ plan: { steps: [{ id: "a", type: "tool", tool: "clock.now" }] } });
    const stream = await fetch(`${other}/api/v1/tasks/${id}/traces`, {
      headers: { "x-api-key": key, "accept": "text/event-stream" },
    });
    expect(stream.status).toBe(200);
    child.kill("SIGTERM");
    const [code] = (await once(child, "exit")) as [number];
    expect(code).toBe(0);
    await stream.body?.cancel().catch(() => undefined);
  });

  it("does not start without a database, and says what to set", async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL("../src/main.ts", import.meta.url))], {
      env: { PATH: process.env["PATH"] ?? "" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(78);
    expect(said).toContain("DATABASE_URL");
  });
});
