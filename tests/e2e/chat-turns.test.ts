/** What becomes of a message into a thread that is at work, and of answers that nobody waits for. */
import { routes } from "@baton/contracts";
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadThread } from "./chat-page.ts";
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

onEachBackend("a thread that is at work", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  beforeAll(async () => {
    model = await startScriptedModel();
    stack = await startStack({ backend, workers: 1, env: model.env });
  });
  afterAll(async () => {
    await stack?.stop();
    await model?.close();
  });

  /** Leaves the answer to whoever wants it. */
  const say = async (threadId: string, text: string, more: object = {}) => {
    const response = await stack.call("/api/chat", {
      json: { id: threadId, message: { role: "user", parts: [{ type: "text", text }] }, ...more },
    });
    if (response.status === 200) await response.body?.cancel();
    return response;
  };
  const textsOf = async (threadId: string) =>
    (await loadThread(stack, threadId)).map(({ role, parts }) => [
      role,
      parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join(" | "),
    ]);
  const tasksOf = async (threadId: string) =>
    (await stack.store.listTasks({ tenantId: defaultTenantId, threadId, limit: 20 })).toReversed();
  const ended = (threadId: string) =>
    until(`the thread ${threadId} rests`, async () =>
      (await tasksOf(threadId)).every(({ state }) => ["completed", "cancelled", "failed"].includes(state)),
    );
  const slow = (text: string) => ({ chunks: [`${text} `, "and more."], chunkDelayMs: 600 });

  it("answers a queued message afterwards, with the answer before it in the model's history", async () => {
    const word = model.script({ reply: [slow("Answer one"), { text: "Answer two." }] });
    const threadId = newId();
    await say(threadId, `Question one ${word}?`, { toolChoice: "none" });
    await say(threadId, `Question two ${word}?`, { toolChoice: "none", ifBusy: "queue" });
    const [, second] = await tasksOf(threadId);
    expect(second).toMatchObject({ state: "paused", intent: "pause" });
    await ended(threadId);
    const [told] = model.requests(word, "reply").slice(-1);
    if (told === undefined) throw new Error("the second question was never asked");
    expect(promptOf(told)).toContain("Answer one and more.");
    expect(new Set((await textsOf(threadId)).map(([, text]) => text))).toEqual(
      new Set([`Question one ${word}?`, `Question two ${word}?`, "Answer one and more.", "Answer two."]),
    );
    for (const task of await tasksOf(threadId)) await expectRowsToEqualTraces(stack.store, task);
  });

  it("refuses a message with 409 and keeps nothing of it", async () => {
    const word = model.script({ reply: slow("Answer one") });
    const threadId = newId();
    await say(threadId, `Question one ${word}?`, { toolChoice: "none" });
    const refused = await say(threadId, `Question two ${word}?`, { ifBusy: "refuse" });
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({ code: "thread-busy", errors: [{ pointer: "/ifBusy" }] });
    await ended(threadId);
    expect(await tasksOf(threadId)).toHaveLength(1);
    expect(JSON.stringify(await textsOf(threadId))).not.toContain("Question two");
  });

  it("interrupts: what ran is cancelled, and the message is answered at once", async () => {
    const word = model.script({ reply: [{ chunks: ["never"], fault: { kind: "hang" } }, { text: "Answer two." }] });
    const threadId = newId();
    await say(threadId, `Question one ${word}?`, { toolChoice: "none" });
    await until("the model is asked", async () => model.requests(word, "reply").length === 1);
    await say(threadId, `Question two ${word}?`, { toolChoice: "none", ifBusy: "interrupt" });
    await ended(threadId);
    expect((await tasksOf(threadId)).map(({ state }) => state)).toEqual(["cancelled", "completed"]);
    expect((await textsOf(threadId)).at(-1)).toEqual(["assistant", "Answer two."]);
  });

  it("revises the running task's plan by the message, with a trace, and answers in the newest message", async () => {
    const added = { id: "more", type: "llm", prompt: "Say it in French.", description: "Say it in French" };
    const word = model.script({
      ...escalating,
      reason: [{ text: "It was noon.", delayMs: 1_500 }, { text: "Il était midi." }],
      evaluate: [
        { object: { verdict: "revise", reason: "French was asked for.", steps: [added] } },
        { object: { verdict: "done", reason: "Both are there.", steps: [] } },
      ],
      plan: { object: { steps: plan.steps } },
    });
    const threadId = newId();
    const first = await say(threadId, `Please arrange what ${word} needs for the conference`);
    const { taskId } = (await first.json()) as { taskId: string };
    await until("its steps are at work", async () => model.requests(word, "reason").length === 1);
    const second = await say(threadId, `And say it in French, ${word}`);
    expect(second.status).toBe(202);
    const body = routes.chat.answers[0].schema.parse(await second.json());
    expect(body.taskId).toBe(taskId);
    await ended(threadId);
    expect(await tasksOf(threadId)).toHaveLength(1);
    const [asked] = model.requests(word, "evaluate");
    if (asked === undefined) throw new Error("nobody judged the progress");
    expect(promptOf(asked)).toContain("Added later in the conversation:\nAnd say it in French");
    const traces = await stack.store.listTaskTraces({ tenantId: defaultTenantId, taskId }, { limit: 100 });
    expect(traces.find(({ type }) => type === "goal-amended")?.data).toMatchObject({
      message: `And say it in French, ${word}`,
    });
    await expectRowsToEqualTraces(stack.store, { tenantId: defaultTenantId, taskId });
    await until("the answer is in the thread", async () => JSON.stringify(await textsOf(threadId)).includes("midi"));
    expect(await textsOf(threadId)).toEqual([
      ["user", `Please arrange what ${word} needs for the conference`],
      ["assistant", "This takes several steps, so it runs as a task."],
      ["user", `And say it in French, ${word}`],
      ["assistant", "This goes into the task that is running. | Il était midi."],
    ]);
  });

  it("queues what would revise where there is no plan to revise", async () => {
    const word = model.script({ reply: [slow("Answer one"), { text: "Answer two." }] });
    const threadId = newId();
    await say(threadId, `Question one ${word}?`, { toolChoice: "none" });
    await say(threadId, `Question two ${word}?`, { toolChoice: "none" });
    expect((await tasksOf(threadId)).at(-1)?.state).toBe("paused");
    await ended(threadId);
    expect((await tasksOf(threadId)).map(({ state }) => state)).toEqual(["completed", "completed"]);
  });

  it("lands a task's answer in its thread though nobody listens", async () => {
    const word = model.script(escalating);
    const threadId = newId();
    expect((await say(threadId, `Please arrange what ${word} needs for the conference`)).status).toBe(202);
    await until("the answer is in the thread", async () =>
      JSON.stringify(await textsOf(threadId)).includes("It was noon."),
    );
    expect(await textsOf(threadId)).toHaveLength(2);
  });

  it("stops what is queued with what runs", async () => {
    const word = model.script({ reply: { chunks: ["never"], fault: { kind: "hang" } } });
    const threadId = newId();
    await say(threadId, `Question one ${word}?`, { toolChoice: "none" });
    await say(threadId, `Question two ${word}?`, { toolChoice: "none", ifBusy: "queue" });
    const stopped = await stack.call(`/api/chat/${threadId}/stop`, { method: "POST" });
    expect(routes.stopChat.answers[0].schema.parse(await stopped.json()).cancelled).toHaveLength(2);
    expect((await tasksOf(threadId)).map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
  });

  it("keeps files that are what they say, tells the model of them, and refuses the others", async () => {
    const word = model.script({});
    const threadId = newId();
    const png =
      "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const text = `data:text/plain;base64,${Buffer.from("The lease is 10 s.").toString("base64")}`;
    const parts = [
      { type: "text", text: `What stands there, ${word}?` },
      { type: "file", mediaType: "text/plain", filename: "lease.txt", url: text },
      { type: "file", mediaType: "image/png", filename: "dot.png", url: png },
    ];
    const response = await stack.call("/api/chat", {
      json: { id: threadId, toolChoice: "none", message: { role: "user", parts } },
    });
    expect(response.status).toBe(200);
    await response.text();
    const [request] = model.requests(word, "reply");
    const body = JSON.stringify(request?.body);
    expect(body).toContain("The lease is 10 s.");
    expect(body).toContain("iVBORw0KGgoAAAANSUhEUg");
    expect((await loadThread(stack, threadId))[0]?.parts).toEqual(parts);

    const liar = { type: "file", mediaType: "image/png", url: text.replace("text/plain", "image/png") };
    const refused = await stack.call("/api/chat", {
      json: { id: newId(), message: { role: "user", parts: [parts[0], liar] } },
    });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({
      code: "attachment-refused",
      errors: [{ pointer: "/message/parts/1/url" }],
    });
  });
});
