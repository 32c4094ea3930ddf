/** Chat and orchestrate as clients of this API know them, field by field, with the real provider code. */
import { readServerSentEvents, type UiPart } from "@baton/client";
import { routes, taskPart } from "@baton/contracts";
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { promptOf, type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { newId, onEachBackend, type Stack, startStack, until } from "./stack.ts";

const plan = {
  steps: [
    { id: "now", type: "tool", tool: "clock.now", description: "Look at the clock" },
    { id: "tell", type: "llm", prompt: "Say when that was.", description: "Tell the time", depends_on: ["now"] },
  ],
  result: { $cel: "steps.tell.output" },
};
const escalating = {
  decide: { object: { orchestrate: true, confidence: 0.9, reasons: ["It needs tools."] } },
  plan: { object: plan },
  reason: { text: "It was noon." },
};
const textOf = (parts: readonly UiPart[]): string =>
  parts.map((part) => (part.type === "text-delta" ? part["delta"] : "")).join("");

onEachBackend("chat and orchestrate", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  beforeAll(async () => {
    model = await startScriptedModel();
    // A beat so rare that a cancel has to reach the worker by its own way.
    const rare = { BATON_BEAT_MS: "20000", BATON_LEASE_MS: "60000" };
    stack = await startStack({ backend, workers: 1, env: { ...model.env, ...rare } });
  });
  afterAll(async () => {
    await stack?.stop();
    await model?.close();
  });

  const say = (threadId: string, text: string, more: object = {}, headers: Record<string, string> = {}) =>
    stack.call("/api/chat", {
      json: { id: threadId, message: { role: "user", parts: [{ type: "text", text }] }, ...more },
      headers,
    });
  const partsOf = async (response: Response): Promise<UiPart[]> => {
    const parts: UiPart[] = [];
    let done = false;
    if (response.body === null) throw new Error("no body");
    for await (const { data } of readServerSentEvents(response.body)) {
      expect(done, "something follows [DONE]").toBe(false);
      if (data === "[DONE]") done = true;
      else parts.push(JSON.parse(data) as UiPart);
    }
    expect(done, JSON.stringify(parts)).toBe(true);
    return parts;
  };
  const expectUiStream = (response: Response): void => {
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(response.headers.get("x-vercel-ai-ui-message-stream")).toBe("v1");
  };
  const thread = (threadId: string) => stack.store.listMessages(defaultTenantId, threadId, 100);
  const ended = async (taskId: string) => {
    await until(`task ${taskId} ends`, async () => {
      const { state } = await stack.client.getTask(taskId);
      return ["completed", "failed", "cancelled"].includes(state);
    });
    await expectRowsToEqualTraces(stack.store, { tenantId: defaultTenantId, taskId });
    return stack.client.getTask(taskId);
  };

  it("streams a simple answer as UI message parts, deltas in order, and keeps it in the thread", async () => {
    const words = Array.from({ length: 12 }, (_, index) => `word-${index} `);
    const word = model.script({ reply: { chunks: words, chunkDelayMs: 60 } });
    const threadId = newId();
    const response = await say(threadId, `What is a lease, ${word}?`);
    expectUiStream(response);
    const parts = await partsOf(response);

    const types = parts.map(({ type }) => type);
    expect(types.filter((type) => type !== "text-delta")).toEqual([
      "start",
      "start-step",
      "text-start",
      "text-end",
      "finish-step",
      "finish",
    ]);
    expect(types.filter((type) => type === "text-delta").length).toBeGreaterThan(1);
    expect(textOf(parts)).toBe(words.join(""));
    const textIds = parts.flatMap((part) => (part.type.startsWith("text-") ? [part["id"]] : []));
    expect(new Set(textIds).size).toBe(1);

    const messages = await thread(threadId);
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(messages[1]?.messageId).toBe(parts[0]?.["messageId"]);
    expect(messages[1]?.parts).toEqual([{ type: "text", text: words.join("") }]);
  });

  it("keeps a thread in order and hands the model what was said before", async () => {
    const threadId = newId();
    const word = model.script({ reply: [{ text: "Answer one." }, { text: "Answer two." }, { text: "Answer three." }] });
    for (const text of [`Question one ${word}?`, `Question two ${word}?`, `Question three ${word}?`])
      await partsOf(await say(threadId, text, { toolChoice: "none" }));
    const said = (await thread(threadId)).map(({ role, parts }) => [role, (parts[0] as { text: string }).text]);
    const told = [
      ["user", `Question one ${word}?`],
      ["assistant", "Answer one."],
      ["user", `Question two ${word}?`],
      ["assistant", "Answer two."],
      ["user", `Question three ${word}?`],
      ["assistant", "Answer three."],
    ];
    expect(said).toEqual(told);
    const last = model.requests(word, "reply").at(-1);
    const messages = last?.body["messages"] as { role: string; content: string | { text: string }[] }[];
    expect(
      messages.map(({ role, content }) => [
        role,
        typeof content === "string" ? content : content.map(({ text }) => text).join(""),
      ]),
    ).toEqual(told.slice(0, 5));
  });

  it("turns a complex message into a task and answers with the documented JSON", async () => {
    const word = model.script(escalating);
    const threadId = newId();
    const response = await say(threadId, `Please arrange what ${word} needs for the conference next month`);
    expect(response.status).toBe(202);
    const body = (await response.json()) as { taskId: string };
    expect(routes.chat.answers[0].schema.parse(body)).toEqual(body);
    expect(Object.keys(body).sort()).toEqual(["content", "id", "orchestrated", "role", "taskId"]);
    expect(body).toMatchObject({ role: "assistant", orchestrated: true });
    expect(await ended(body.taskId)).toMatchObject({ state: "completed", result: "It was noon.", offline: false });
    expect((await thread(threadId))[0]?.role).toBe("user");
  });

  it("follows a complex message to its result in a UI stream for clients that ask for one", async () => {
    const word = model.script(escalating);
    const response = await say(
      newId(),
      `Please arrange what ${word} needs for the conference`,
      {},
      {
        accept: "text/event-stream",
      },
    );
    expectUiStream(response);
    const parts = await partsOf(response);
    const tasks = parts.filter(({ type }) => type === "data-task");
    expect(tasks.length).toBeGreaterThan(1);
    expect(new Set(tasks.map((part) => part["id"])).size).toBe(1);
    for (const part of tasks) taskPart.parse(part["data"]);
    expect(tasks.at(-1)?.["data"]).toMatchObject({ status: "completed", progress: 100, totalSteps: 2 });
    expect(textOf(parts)).toContain("It was noon.");
    expect(parts.slice(-2).map(({ type }) => type)).toEqual(["finish-step", "finish"]);
    await ended(tasks[0]?.["id"] as string);
  });

  it("answers directly under toolChoice none, without asking whether to orchestrate", async () => {
    const word = model.script({ ...escalating, reply: { text: "Directly." } });
    const parts = await partsOf(
      await say(newId(), `Read every file, then write a report, ${word}`, { toolChoice: "none" }),
    );
    expect(textOf(parts)).toBe("Directly.");
    expect(model.requests(word, "decide")).toEqual([]);
  });

  it("accepts a model id of earlier days and calls its successor", async () => {
    const word = model.script({ reply: { text: "Still here." } });
    const chatModel = { provider: "anthropic", model: "claude-3-5-sonnet-20241022" };
    expect(textOf(await partsOf(await say(newId(), `Are you there, ${word}?`, { chatModel })))).toBe("Still here.");
    const [request] = model.requests(word, "reply");
    expect(request?.body["model"]).toMatch(/^claude-sonnet-/);
    expect(request?.body["model"]).not.toBe(chatModel.model);
  });

  it.each([
    ["an unknown model", { chatModel: { provider: "anthropic", model: "claude-0" } }, "unknown-model", "/chatModel"],
    ["an unknown mention", { mentions: [{ type: "tool", name: "no.such" }] }, "unknown-mention", "/mentions/0/name"],
    [
      "an unknown MCP server",
      { allowedMcpServers: { nobody: { tools: [] } } },
      "unknown-mcp-server",
      "/allowedMcpServers/nobody",
    ],
  ])("refuses %s with 422 and the field, and writes nothing", async (_what, more, code, pointer) => {
    const threadId = newId();
    const goal = `Nothing of this is kept ${threadId}`;
    for (const response of [
      await say(threadId, goal, more),
      await stack.call("/orchestrate", { json: { goal, ...more } }),
    ]) {
      expect(response.status).toBe(422);
      expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      expect(await response.json()).toMatchObject({ code, errors: [{ in: "body", pointer }] });
    }
    expect(await thread(threadId)).toEqual([]);
    const { tasks } = await stack.client.request("listTasks", { query: { limit: 200 } });
    expect(tasks.filter((task) => task.goal === goal)).toEqual([]);
  });

  it.each(["/api/chat/orchestrate", "/orchestrate"])("plans, reports and cancels a goal under %s", async (path) => {
    const word = model.script({ ...escalating, reason: { fault: { kind: "hang" } } });
    const goal = `Tell ${word} the time`;
    const posted = await stack.call(path, { json: { goal } });
    expect(posted.status).toBe(202);
    const started = routes.orchestrate.answers[0].schema.parse(await posted.json());
    expect(Object.keys(started).sort()).toEqual(["estimatedDuration", "status", "strategy", "taskId"]);
    expect(started).toMatchObject({
      status: "queued",
      strategy: {
        steps: [
          { id: "now", description: "Look at the clock", type: "tool", dependsOn: [] },
          { id: "tell", description: "Tell the time", type: "llm", dependsOn: ["now"] },
        ],
        totalSteps: 2,
      },
    });
    expect(started.estimatedDuration).toBeGreaterThan(0);
    const { taskId } = started;

    await until("the model is called", async () => model.requests(word, "reason").length === 1);
    const status = routes.orchestration.answers[0].schema.parse(
      await (await stack.call(`${path}?taskId=${taskId}`)).json(),
    );
    expect(status).toMatchObject({
      taskId,
      goal,
      status: "running",
      progress: 50,
      currentStep: 1,
      totalSteps: 2,
      steps: [
        { index: "0", description: "Look at the clock", status: "completed" },
        { index: "1", description: "Tell the time", status: "running" },
      ],
    });
    expect(status.latestTraces.length).toBeLessThanOrEqual(10);
    expect(status.latestTraces.length).toBeGreaterThan(0);
    expect(status).not.toHaveProperty("lastError");
    expect(status).not.toHaveProperty("completedAt");

    const cancelledAt = Date.now();
    const cancelled = await stack.call(`${path}?taskId=${taskId}`, { method: "DELETE" });
    expect([cancelled.status, await cancelled.json()]).toEqual([200, { taskId, status: "cancelled" }]);
    const [call] = model.requests(word, "reason");
    await until("the model server sees its client leave", async () => call?.outcome === "aborted");
    expect((call?.endedAt ?? Number.NaN) - cancelledAt).toBeLessThan(2_000);
    expect(stack.api.process.pid).not.toBe(stack.workers[0]?.process.pid);

    expect((await ended(taskId)).state).toBe("cancelled");
    const after = await (await stack.call(`${path}?taskId=${taskId}`)).json();
    expect(after).toMatchObject({
      status: "cancelled",
      steps: [{ status: "completed" }, { status: "cancelled" }],
    });
    const again = await stack.call(`${path}?taskId=${taskId}`, { method: "DELETE" });
    expect(again.status).toBe(200);
    expect((await stack.call(`${path}?taskId=${newId()}`)).status).toBe(404);
  });

  it("resumes what a thread is working on, stops it, and has nothing to resume afterwards", async () => {
    const word = model.script({
      reply: { chunks: ["Begun, ", "never ended."], fault: { kind: "hang", afterChunks: 1 } },
    });
    const threadId = newId();
    const first = await say(threadId, `Are you sure, ${word}?`, { toolChoice: "none" });
    await until("the model is called", async () => model.requests(word, "reply").length === 1);
    const resumed = await stack.call(`/api/chat/${threadId}/stream`);
    expectUiStream(resumed);

    const stopped = routes.stopChat.answers[0].schema.parse(
      await (await stack.call(`/api/chat/${threadId}/stop`, { method: "POST" })).json(),
    );
    expect(stopped).toMatchObject({ id: threadId, cancelled: [expect.any(String)] });
    for (const response of [first, resumed]) expect((await partsOf(response)).at(-1)?.type).toBe("abort");
    await until("its socket is closed", async () => model.requests(word, "reply")[0]?.outcome === "aborted");
    expect((await ended(stopped.cancelled[0] as string)).state).toBe("cancelled");
    expect((await stack.call(`/api/chat/${threadId}/stream`)).status).toBe(204);
    expect((await stack.call(`/api/chat/${newId()}/stream`)).status).toBe(204);
  });

  it("goes on answering when the client closes its connection", async () => {
    const word = model.script({ reply: { chunks: ["It ", "goes ", "on."], chunkDelayMs: 100, delayMs: 200 } });
    const threadId = newId();
    const leaving = new AbortController();
    const response = await stack.call("/api/chat", {
      json: {
        id: threadId,
        toolChoice: "none",
        message: { role: "user", parts: [{ type: "text", text: `And now, ${word}?` }] },
      },
      signal: leaving.signal,
    });
    expectUiStream(response);
    leaving.abort();
    await until("the reply is in the thread", async () => (await thread(threadId)).length === 2);
    expect((await thread(threadId))[1]?.parts).toEqual([{ type: "text", text: "It goes on." }]);
    expect(model.requests(word, "reply").map(({ outcome }) => outcome)).toEqual(["answered"]);
  });

  it("tells the model of the tools that are mentioned and of no other", async () => {
    const word = model.script(escalating);
    const goal = `Use the clock for ${word}`;
    const posted = await stack.call("/orchestrate", {
      json: { goal, mentions: [{ type: "tool", name: "clock.now" }] },
    });
    const { taskId } = (await posted.json()) as { taskId: string };
    const prompt = promptOf(model.requests(word, "plan")[0] as Parameters<typeof promptOf>[0]);
    const tools = prompt.slice(prompt.lastIndexOf("Tools:"));
    expect(tools).toContain("clock.now");
    expect(tools).not.toContain("artifact.write");
    expect((await ended(taskId)).state).toBe("completed");
  });
});
