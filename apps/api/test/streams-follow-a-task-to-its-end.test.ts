import type { Trace, TraceStreamEvent } from "@baton/contracts";
import { createClient, readServerSentEvents } from "@baton/client";
import type { UiPart } from "@baton/client";
import type { ClaimedStep } from "@baton/core/ports";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { createApi } from "@baton/api";
import type { ApiDeps } from "@baton/api";
import { listen } from "../src/server.ts";
import { claim, completed, settle } from "./claims.ts";
import { createInstallation } from "./installation.ts";
import type { Installation } from "./installation.ts";

let at: Installation;
beforeAll(async () => {
  at = await createInstallation(inject("postgresUrl"), { pollMs: 200, heartbeatMs: 50 });
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

const plan = {
  steps: [
    { id: "a", type: "tool" as const, tool: "clock.now" },
    { id: "b", type: "tool" as const, tool: "clock.now", depends_on: ["a"] },
  ],
};
const say = (text: string, id: string) => ({
  id,
  message: { role: "user" as const, parts: [{ type: "text" as const, text }] },
});

async function until<T>(condition: () => Promise<T | undefined>): Promise<T> {
  return await vi.waitFor(
    async () => {
      const value = await condition();
      if (value === undefined) throw new Error("the condition did not come true");
      return value;
    },
    { timeout: 30_000, interval: 10 },
  );
}

const taskIn = (thread: string) =>
  until(async () => {
    for await (const task of at.client.tasks({ threadId: thread })) return task.id;
    return undefined;
  });

function delta(step: ClaimedStep, text: string, attemptNo = step.attemptNo): void {
  at.live.publish(`task:${step.ref.taskId}`, { kind: "delta", stepId: step.ref.stepId, attemptNo, text });
}

/** The text that an AI SDK client would show. */
function shown(parts: readonly UiPart[]): string {
  let text = "";
  for (const part of parts) {
    if (part.type === "text-delta") text += String(part["delta"]);
    if (part.type === "reset-step") text = "";
  }
  return text;
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}

async function startReply(thread: string): Promise<{ parts: Promise<UiPart[]>; step: ClaimedStep }> {
  const answer = await at.client.chat(say("hello", thread));
  if (answer.answered !== "stream") throw new Error("expected a stream");
  const parts = all(answer.parts);
  return { parts, step: await claim(at, await taskIn(thread)) };
}

describe("a trace stream", () => {
  it("gives every trace once and in order, live messages between them, and ends", async () => {
    const { id } = await at.client.createTask({ plan });
    const events: TraceStreamEvent[] = [];
    const following = (async () => {
      for await (const event of at.client.follow(id)) events.push(event);
    })();
    await until(async () => (events.some(({ event }) => event === "trace") ? true : undefined));
    const first = await claim(at, id);
    delta(first, "so far");
    await until(async () => (events.some(({ event }) => event === "live") ? true : undefined));
    const second = await settle(at, first, completed(1), { mayContinue: true });
    await settle(at, second as ClaimedStep, completed(2));
    await following;
    const traces = events.flatMap((event) => (event.event === "trace" ? [event.trace] : []));
    expect(traces).toEqual(await all(at.client.traces(id)));
    expect(traces.map(({ no }) => no)).toEqual(traces.map((_, index) => index + 1));
    expect(events.at(-1)).toEqual({ event: "end", state: "completed" });
    expect(events.find(({ event }) => event === "live")).toMatchObject({ data: { kind: "delta", text: "so far" } });
  });

  it("goes on after Last-Event-ID, or ?after=, and the header wins", async () => {
    const { id } = await at.client.createTask({ plan });
    await at.client.cancelTask(id);
    const numbers = async (query: string, headers: Record<string, string>) => {
      const response = await at.call("GET", `/api/v1/tasks/${id}/traces${query}`, {
        headers: { accept: "text/event-stream", ...headers },
      });
      expect(response.headers.get("cache-control")).toContain("no-transform");
      const events = await all(readServerSentEvents(response.body as ReadableStream<Uint8Array>));
      const traces = events.filter(({ event }) => event === "trace");
      for (const { id: no, data } of traces) expect(String((JSON.parse(data) as Trace).no)).toBe(no);
      return traces.map(({ id: no }) => Number(no));
    };
    const whole = await numbers("", {});
    expect(whole.length).toBeGreaterThan(2);
    expect(await numbers("?after=1", {})).toEqual(whole.slice(1));
    expect(await numbers("?after=1", { "last-event-id": "2" })).toEqual(whole.slice(2));
    expect(await numbers("", { "last-event-id": String(whole.length) })).toEqual([]);
  });

  it("beats while nothing happens, and ends on the server when its reader leaves", async () => {
    const { id } = await at.client.createTask({ plan });
    const leave = new AbortController();
    const response = await fetch(`${at.server.url}/api/v1/tasks/${id}/traces`, {
      headers: { authorization: `Bearer ${at.key}`, accept: "text/event-stream" },
      signal: leave.signal,
    });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = "";
    while (!text.includes(": still here\n\n: still here"))
      text += new TextDecoder().decode((await reader.read()).value);
    expect(at.subscriptions.count).toBe(1);
    leave.abort();
    await reader.read().catch(() => undefined);
    await until(async () => (at.subscriptions.count === 0 ? true : undefined));
    expect(at.errors).toEqual([]);
  });

  it("opens nothing for a HEAD", async () => {
    const { id } = await at.client.createTask({ plan });
    const response = await at.call("HEAD", `/api/v1/tasks/${id}/traces`, { headers: { accept: "text/event-stream" } });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
    expect(at.subscriptions.count).toBe(0);
  });

  it("is followed over a connection that breaks off, without gap or repeat", async () => {
    const { id } = await at.client.createTask({ plan });
    let connections = 0;
    const client = createClient({
      baseUrl: at.server.url,
      apiKey: at.key,
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        connections += 1;
        if (connections > 2 || response.body === null) return response;
        // Cuts the first two connections after their first bytes.
        let chunks = 0;
        const cut = new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            controller.enqueue(chunk);
            chunks += 1;
            if (chunks === 2) controller.error(new Error("cut"));
          },
        });
        return new Response(response.body.pipeThrough(cut), response);
      },
    });
    const following = all(client.follow(id));
    await until(async () => (connections > 2 ? true : undefined));
    const next = await settle(at, await claim(at, id), completed(1), { mayContinue: true });
    await settle(at, next as ClaimedStep, completed(2));
    const numbers = (await following).flatMap((event) => (event.event === "trace" ? [event.trace.no] : []));
    expect(numbers).toEqual((await all(at.client.traces(id))).map(({ no }) => no));
  });
});

describe("a simple chat", () => {
  it("streams the reply as UI message parts, in order, and keeps both messages", async () => {
    const { parts, step } = await startReply("thread-simple");
    delta(step, "Hel");
    delta(step, "lo");
    await at.live.flush();
    await settle(at, step, completed({ text: "Hello." }));
    const got = await parts;
    expect(got[0]).toEqual({ type: "start", messageId: step.ref.stepId });
    expect(got.map(({ type }) => type).filter((type) => type !== "text-delta")).toEqual([
      "start",
      "start-step",
      "text-start",
      "text-end",
      "finish-step",
      "finish",
    ]);
    expect(shown(got)).toBe("Hello.");
    const [task] = await at.store.listTasks({ tenantId: step.ref.tenantId, limit: 1 });
    const messages = await at.store.listMessages(step.ref.tenantId, task?.threadId as string, 10);
    expect(messages.map(({ role, messageId }) => [role, messageId])).toEqual([
      ["user", expect.any(String)],
      ["assistant", step.ref.stepId],
    ]);
  });

  it("shows the stored text when deltas were lost, and takes back what another attempt had shown", async () => {
    const { parts, step } = await startReply("thread-lost");
    delta(step, "This is wrong");
    delta(step, "It be", step.attemptNo + 1);
    delta(step, "too late", step.attemptNo);
    await at.live.flush();
    await settle(at, step, completed("It began again."));
    const got = await parts;
    expect(got.some(({ type }) => type === "reset-step")).toBe(true);
    expect(shown(got)).toBe("It began again.");
    expect(JSON.stringify(got)).not.toContain("too late");
  });

  it("ends as an error when the reply fails, and as an abort when it is stopped", async () => {
    const failed = await startReply("thread-failed");
    await settle(at, failed.step, {
      outcome: "exhausted",
      error: { code: "provider-auth", message: "no key", causes: [] },
    });
    expect((await failed.parts).at(-1)).toEqual({ type: "error", errorText: "provider-auth: no key" });

    const stopped = await startReply("thread-stopped");
    expect(await at.client.request("stopChat", { params: { id: "thread-stopped" } })).toEqual({
      id: "thread-stopped",
      cancelled: [stopped.step.ref.taskId],
    });
    expect((await stopped.parts).at(-1)?.type).toBe("abort");
  });

  it("is resumed by a second reader, goes on when the first leaves, and is 204 afterwards", async () => {
    const leave = new AbortController();
    const answer = await at.client.chat(say("hello", "thread-resumed"), { signal: leave.signal });
    expect(answer.answered).toBe("stream");
    const step = await claim(at, await taskIn("thread-resumed"));
    delta(step, "One");
    await at.live.flush();
    leave.abort();
    const resumed = all((await at.client.resumeChat("thread-resumed")) as AsyncIterable<UiPart>);
    await settle(at, step, completed("One two"));
    expect(shown(await resumed)).toBe("One two");
    expect(await at.client.resumeChat("thread-resumed")).toBeUndefined();
  });

  it.each(["none", "manual"] as const)("with toolChoice %s never becomes a task", async (toolChoice) => {
    const answer = await at.client.chat({ ...say("read every file", `thread-${toolChoice}`), toolChoice });
    expect(answer.answered).toBe("stream");
    await at.client.request("stopChat", { params: { id: `thread-${toolChoice}` } });
  });
});

describe("a complex chat", () => {
  it("is answered with the task in JSON, and the decision is a trace and on the message", async () => {
    const answer = await at.client.chat(say("read every file", "thread-complex"));
    if (answer.answered !== "task") throw new Error("expected a task");
    expect(answer.reply).toMatchObject({ role: "assistant", orchestrated: true });
    const traces = await all(at.client.traces(answer.reply.taskId));
    expect(traces.map(({ type }) => type)).toContain("orchestration-decided");
    const task = await at.client.getTask(answer.reply.taskId);
    expect(task).toMatchObject({ kind: "goal", goal: "read every file", state: "planning" });
  });

  it("is followed by data-task parts of one id to its result, for readers of event streams", async () => {
    const answer = await at.client.chat(say("read every file", "thread-followed"), {
      headers: { accept: "text/event-stream" },
    });
    if (answer.answered !== "stream") throw new Error("expected a stream");
    const parts = all(answer.parts);
    const taskId = await taskIn("thread-followed");
    const planning = await claim(at, taskId);
    await settle(at, planning, completed(null));
    const got = await parts;
    const data = got.filter(({ type }) => type === "data-task");
    expect(new Set(data.map(({ id }) => id))).toEqual(new Set([taskId]));
    expect(data.at(-1)).toMatchObject({ data: { taskId, status: "completed", progress: 100 } });
    expect(got.at(-1)?.type).toBe("finish");
  });
});

it("a reader who leaves before the answer makes no noise, and nothing was started", async () => {
  const leave = new AbortController();
  let asked = false;
  const { decide } = at.deps;
  const slow: ApiDeps = {
    ...at.deps,
    decide: async (message, options) => {
      asked = true;
      await new Promise((_resolve, reject) =>
        options.signal.addEventListener("abort", () => reject(options.signal.reason as Error)),
      );
      return decide(message, options);
    },
  };
  const server = await listen(createApi(slow), { host: "127.0.0.1", port: 0 });
  try {
    const before = await at.database.rowCounts();
    const client = createClient({ baseUrl: server.url, apiKey: at.key });
    const asking = client.chat(say("hello", "thread-left"), { signal: leave.signal });
    await until(async () => (asked ? true : undefined));
    leave.abort();
    await expect(asking).rejects.toThrow();
    await until(async () => {
      const { idempotency_key: now } = await at.database.rowCounts();
      return now === before["idempotency_key"] ? true : undefined;
    });
    expect(await at.database.rowCounts()).toEqual(before);
    expect(at.errors).toEqual([]);
  } finally {
    await server.close(0);
  }
});
