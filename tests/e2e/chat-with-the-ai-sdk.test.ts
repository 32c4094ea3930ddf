/** The AI SDK's own client against the whole system, over a scripted model. */
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadThread, openPage, type Page } from "./chat-page.ts";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
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

type Part = Page["chat"]["messages"][number]["parts"][number];

onEachBackend("useChat", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  const pages: Page[] = [];
  beforeAll(async () => {
    model = await startScriptedModel();
    stack = await startStack({ backend, workers: 1, env: model.env });
  });
  afterAll(async () => {
    for (const page of pages) page.close();
    await stack?.stop();
    await model?.close();
  });

  const open = async (threadId: string, options: Parameters<typeof openPage>[2] = {}): Promise<Page> => {
    const page = openPage(stack, threadId, options);
    pages.push(page);
    await until("the page has rendered", async () => page.chat !== undefined);
    return page;
  };
  const ready = (page: Page) =>
    until(
      `the page is ready: ${page.chat.status}`,
      async () => page.chat.status === "ready" || page.chat.status === "error",
    );
  const last = (page: Page): readonly Part[] => page.chat.messages.at(-1)?.parts ?? [];
  const calls = (page: Page) => last(page).filter((part) => part.type === "dynamic-tool");
  const taskData = (page: Page) =>
    (last(page).find(({ type }) => type === "data-task") as { data?: Record<string, unknown> } | undefined)?.data;

  it("shows a simple answer, and the same after a reload", async () => {
    const word = model.script({ reply: { chunks: ["Forty", "-two."], chunkDelayMs: 20 } });
    const threadId = newId();
    const page = await open(threadId);
    await page.chat.sendMessage({ text: `What is the answer, ${word}?` });
    await ready(page);
    expect(page.text()).toContain("Forty-two.");
    expect(page.chat.error).toBeUndefined();
    const loaded = await loadThread(stack, threadId);
    expect(loaded.map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(loaded.at(-1)?.id).toBe(page.chat.messages.at(-1)?.id);
    expect(loaded.at(-1)?.parts).toEqual([{ type: "text", text: "Forty-two." }]);
  });

  it("calls tools in the loop of an answer, in a worker, and shows them", async () => {
    const word = model.script({
      reply: [{ text: "Let me look.", toolCalls: [{ name: "clock_now", input: {} }] }, { text: "It is late." }],
    });
    const threadId = newId();
    const page = await open(threadId);
    await page.chat.sendMessage({ text: `What time is it, ${word}?` });
    await ready(page);
    expect(page.chat.error).toBeUndefined();
    expect(last(page).map(({ type }) => type)).toEqual(["step-start", "text", "dynamic-tool", "step-start", "text"]);
    expect(calls(page)[0]).toMatchObject({ toolName: "clock.now", state: "output-available" });
    expect(page.text()).toContain("It is late.");
    const [reply] = (await loadThread(stack, threadId)).slice(-1);
    expect(reply?.parts.map(({ type }) => type)).toEqual(last(page).map(({ type }) => type));
    const [task] = await stack.store.listTasks({ tenantId: defaultTenantId, threadId, limit: 1 });
    if (task === undefined) throw new Error("there is no task");
    await expectRowsToEqualTraces(stack.store, task);
    expect((await stack.store.listEffects(task, { limit: 10 })).map(({ tool }) => tool)).toEqual([
      "model/turn",
      "clock.now",
      "model/turn",
    ]);
  });

  it("asks before every call under toolChoice manual, and goes on by the word of the page", async () => {
    const word = model.script({
      reply: [{ toolCalls: [{ name: "clock_now", input: {} }] }, { text: "It is late." }],
    });
    const page = await open(newId(), { body: { toolChoice: "manual" } });
    await page.chat.sendMessage({ text: `What time is it, ${word}?` });
    await ready(page);
    const [asked] = calls(page);
    expect(asked).toMatchObject({ toolName: "clock.now", state: "approval-requested" });
    expect(model.requests(word, "reply")).toHaveLength(1);
    const { id } = (asked as { approval: { id: string } }).approval;
    const forged = { ...asked, state: "approval-responded", input: { zone: "Mars" }, approval: { id, approved: true } };
    const refused = await stack.call("/api/chat", {
      json: { id: page.chat.id, message: { id: "m", role: "assistant", parts: [forged] } },
    });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ errors: [{ pointer: "/message/parts/0/input" }] });
    const elsewhere = await stack.call("/api/chat", {
      json: { id: newId(), message: { id: "m", role: "assistant", parts: [{ ...forged, input: {} }] } },
    });
    expect(elsewhere.status).toBe(404);
    await page.chat.addToolApprovalResponse({ id, approved: true });
    await until("the answer is there", async () => page.text().includes("It is late."));
    await ready(page);
    expect(page.chat.error).toBeUndefined();
    expect(calls(page)).toHaveLength(1);
    expect(calls(page)[0]).toMatchObject({ state: "output-available" });
    expect(model.requests(word, "reply")).toHaveLength(2);
  });

  it("tells the model of a rejection, and makes no call", async () => {
    const word = model.script({
      reply: [{ toolCalls: [{ name: "clock_now", input: {} }] }, { text: "Then I do not know." }],
    });
    const threadId = newId();
    const page = await open(threadId, { body: { toolChoice: "manual" } });
    await page.chat.sendMessage({ text: `What time is it, ${word}?` });
    await ready(page);
    const [asked] = calls(page);
    const { id } = (asked as { approval: { id: string } }).approval;
    await page.chat.addToolApprovalResponse({ id, approved: false, reason: "not today" });
    await until("the answer is there", async () => page.text().includes("Then I do not know."));
    await ready(page);
    expect(calls(page)[0]).toMatchObject({ state: "output-denied" });
    const [task] = await stack.store.listTasks({ tenantId: defaultTenantId, threadId, limit: 1 });
    if (task === undefined) throw new Error("there is no task");
    const effects = await stack.store.listEffects(task, { limit: 10 });
    expect(effects.map(({ tool }) => tool)).toEqual(["model/turn", "model/turn"]);
    expect(JSON.stringify(model.requests(word, "reply").at(-1)?.body)).toContain("not today");
  });

  it("follows an escalation in one part, with the words of its steps, to the answer in the thread", async () => {
    const words = Array.from({ length: 30 }, (_, index) => `noon-${index} `);
    const word = model.script({ ...escalating, reason: { chunks: words, chunkDelayMs: 50 } });
    const threadId = newId();
    const page = await open(threadId);
    let isSent = false;
    const sent = page.chat.sendMessage({ text: `Please arrange what ${word} needs for the conference` }).then(() => {
      isSent = true;
    });
    const texts = new Set<string>();
    await until("the answer has ended", async () => {
      const steps = (taskData(page)?.["steps"] ?? []) as { text?: string }[];
      for (const { text } of steps) if (text !== undefined) texts.add(text);
      return isSent;
    });
    await sent;
    expect(page.chat.error).toBeUndefined();
    expect(texts.size).toBeGreaterThan(3);
    expect(last(page).filter(({ type }) => type === "data-task")).toHaveLength(1);
    expect(taskData(page)).toMatchObject({ status: "completed", progress: 100 });
    expect(page.text()).toContain("noon-29");
    const loaded = await loadThread(stack, threadId);
    expect(loaded).toHaveLength(2);
    expect(loaded[1]?.id).toBe(page.chat.messages.at(-1)?.id);
    expect(loaded[1]?.parts.map(({ type }) => type)).toEqual(["text", "data-task", "text"]);
    expect(JSON.stringify(loaded[1]?.parts.at(-1))).toContain("noon-29");
  });

  it("goes on in a page that was reloaded in the middle, and a closed page is no cancel", async () => {
    const words = Array.from({ length: 40 }, (_, index) => `word-${index} `);
    const word = model.script({ reply: { chunks: words, chunkDelayMs: 50 } });
    const threadId = newId();
    const before = await open(threadId);
    void before.chat.sendMessage({ text: `Tell me more, ${word}` });
    await until("it has begun", async () => before.text().includes("word-3"));
    before.close();
    const messages = await loadThread(stack, threadId);
    expect(messages.map(({ role }) => role)).toEqual(["user"]);
    const after = await open(threadId, { messages, resume: true });
    await until("it shows what came before the reload", async () => after.text().includes("word-0 word-1"));
    expect(after.text()).not.toContain("word-39");
    await until("it has ended", async () => after.chat.status === "ready" && after.text().includes("word-39"));
    expect(after.chat.messages.at(-1)?.parts.filter(({ type }) => type === "text")).toMatchObject([
      { text: words.join("") },
    ]);
    expect(model.requests(word, "reply")).toHaveLength(1);
  });

  it("resumes after a cut without showing anything twice", async () => {
    const words = Array.from({ length: 40 }, (_, index) => `word-${index} `);
    const word = model.script({ reply: { chunks: words, chunkDelayMs: 50 } });
    const page = await open(newId());
    void page.chat.sendMessage({ text: `Tell me more, ${word}` });
    await until("it has begun", async () => page.text().includes("word-3"));
    await page.chat.stop();
    await page.chat.resumeStream();
    expect(page.chat.messages).toHaveLength(2);
    expect(page.chat.messages.at(-1)?.parts.filter(({ type }) => type === "text")).toMatchObject([
      { text: words.join("") },
    ]);
  });

  it("shows the same in two tabs at once", async () => {
    const words = Array.from({ length: 30 }, (_, index) => `word-${index} `);
    const word = model.script({ reply: { chunks: words, chunkDelayMs: 50 } });
    const threadId = newId();
    const one = await open(threadId);
    void one.chat.sendMessage({ text: `Tell me more, ${word}` });
    await until("it has begun", async () => one.text().includes("word-3"));
    const two = await open(threadId, { messages: await loadThread(stack, threadId), resume: true });
    await until("both have it", async () => [one, two].every((page) => page.text().includes("word-29")));
    await ready(one);
    await ready(two);
    expect(two.chat.messages.at(-1)).toEqual(one.chat.messages.at(-1));
  });

  it("stops by the stop route, and every tab hears of it", async () => {
    const word = model.script({
      reply: { chunks: ["Begun, ", "never ended."], fault: { kind: "hang", afterChunks: 1 } },
    });
    const threadId = newId();
    const page = await open(threadId);
    const sent = page.chat.sendMessage({ text: `Are you sure, ${word}?` });
    await until("it has begun", async () => page.text().includes("Begun"));
    const stopped = await stack.call(`/api/chat/${threadId}/stop`, { method: "POST" });
    expect(stopped.status).toBe(200);
    await sent;
    await ready(page);
    expect(page.chat.status).toBe("ready");
    expect((await stack.call(`/api/chat/${threadId}/stream`)).status).toBe(204);
    await until("the model's client has left", async () => model.requests(word, "reply")[0]?.outcome === "aborted");
  });

  it("takes back what a failed attempt showed, and shows the next one's", async () => {
    const word = model.script({
      reply: [
        { chunks: ["A first try ", "that breaks "], fault: { kind: "cut", afterChunks: 2 }, chunkDelayMs: 150 },
        { text: "The second try." },
      ],
    });
    const page = await open(newId());
    const sent = page.chat.sendMessage({ text: `Once more, ${word}?` });
    await until("the first try shows", async () => page.text().includes("A first try"));
    await sent;
    // The page is drawn a moment after its stream has ended.
    await until("the second try shows", async () => page.text().includes("The second try."));
    expect(page.text()).not.toContain("A first try");
  });

  it("shows an error of the model as an error", async () => {
    const word = model.script({ reply: { fault: { kind: "refusal" } } });
    const page = await open(newId());
    await page.chat.sendMessage({ text: `Do something forbidden, ${word}` });
    await ready(page);
    expect(page.chat.status).toBe("error");
    expect(page.chat.error?.message).toContain("model-refused");
  });

  it("shows a call of a task that waits, and the task goes on by the page's word", async () => {
    const threadId = newId();
    const { id } = await stack.client.createTask({
      threadId,
      plan: plan as never,
      settings: { approvals: [{ tools: ["clock.*"] }], model: { provider: "anthropic", model: "claude-sonnet-5-5" } },
    });
    const page = await open(threadId, { resume: true });
    await until("the call is shown", async () => calls(page).some(({ state }) => state === "approval-requested"));
    await ready(page);
    const [asked] = calls(page);
    expect(asked).toMatchObject({ toolName: "clock.now", input: {} });
    await page.chat.addToolApprovalResponse({
      id: (asked as { approval: { id: string } }).approval.id,
      approved: true,
    });
    await until("the task has ended", async () => taskData(page)?.["status"] === "completed");
    await ready(page);
    expect(page.chat.error).toBeUndefined();
    expect(calls(page)).toMatchObject([{ state: "output-available" }]);
    expect(page.chat.messages).toHaveLength(1);
    expect((await stack.client.getTask(id)).state).toBe("completed");
  });
});
