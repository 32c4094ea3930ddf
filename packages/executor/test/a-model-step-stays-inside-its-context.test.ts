import { planSpec } from "@baton/core/plan";
import { startModelServer } from "@baton/testing/model-server";
import type { ModelServer, ModelServerScript } from "@baton/testing/model-server";
import { defineTool } from "@baton/tools";
import { afterEach, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { openBench } from "./bench.ts";
import type { Bench } from "./bench.ts";

let bench: Bench | undefined;
let server: ModelServer | undefined;
const open = async (script: ModelServerScript) => {
  server = await startModelServer(script);
  bench = await openBench({ postgresUrl: inject("postgresUrl"), modelUrl: server.url, tools: [write] });
  return { ...bench, server };
};
/** A server without structured output of its own: the schema stands in the prompt. */
const openLocal = async (script: ModelServerScript) => {
  server = await startModelServer(script);
  bench = await openBench({ postgresUrl: inject("postgresUrl"), localModelUrl: server.url });
  return { ...bench, server };
};
afterEach(async () => {
  await bench?.close();
  await server?.close();
  bench = undefined;
  server = undefined;
});

const goal = "Find out what the harbour decided";

const write = defineTool({
  name: "write",
  description: "Gives back a text of so many words",
  input: z.object({ word: z.string(), count: z.number() }),
  output: z.string(),
  effect: "read",
  execute: ({ word, count }) => Array.from({ length: count }, (_one, index) => `${word}${index}`).join(" "),
});

const source = (id: string, count: number) => ({
  id,
  type: "tool",
  tool: "write",
  arguments: { word: `${id}-`, count },
});

/** What a prompt holds, as the server saw it. */
const promptOf = (request: ModelServer["requests"][number]) =>
  JSON.stringify([request.body["system"], request.body["messages"]]);
const prompts = (from: ModelServer) => from.requests.filter(({ path }) => path === "/v1/messages").map(promptOf);
/** English at four characters a token, as the server's own counter has it. */
const tokensOf = (prompt: string) => prompt.length / 4;

describe("an llm step", () => {
  test("sees goal, instruction and the outputs of its dependencies, and streams to watchers", async () => {
    const { create, run, steps, live, server } = await open({ fallback: { text: "The harbour decided to close." } });
    const ref = await create(
      planSpec.parse({
        steps: [
          source("notes", 3),
          { id: "think", type: "llm", prompt: "Say what was decided", depends_on: ["notes"] },
        ],
      }),
    );
    const seen: unknown[] = [];
    const subscription = await live.subscribe(`task:${ref.taskId}`, undefined, ({ data }) => seen.push(data));
    expect((await run(ref)).state).toBe("completed");
    const step = (await steps(ref)).get("think");
    expect(step).toMatchObject({ output: "The harbour decided to close.", offline: false });
    expect(step?.inputTokens).toBeGreaterThan(0);
    const [prompt] = prompts(server);
    for (const part of [goal, "Say what was decided", "notes-0 notes-1 notes-2"]) expect(prompt).toContain(part);
    const streamed = () =>
      seen.map((data) => data as { kind: string; text: string }).filter(({ kind }) => kind === "delta");
    await expect
      .poll(() =>
        streamed()
          .map(({ text }) => text)
          .join(""),
      )
      .toBe("The harbour decided to close.");
    expect(streamed()[0]).toMatchObject({ stepId: step?.stepId, attemptNo: 1 });
    await subscription.close();
  });

  test("of a map sees its item", async () => {
    const { runPlan, server, steps } = await open({ fallback: { text: "ok" } });
    const { ref, task } = await runPlan({
      steps: [
        {
          id: "each",
          type: "map",
          over: [
            { path: "a.md", text: 'He said "no".\nTwice.' },
            { path: "b.md", text: "yes" },
          ],
          step: { type: "llm", prompt: "Summarise" },
        },
      ],
    });
    expect(task.state).toBe("completed");
    expect((await steps(ref)).get("each")?.output).toEqual(["ok", "ok"]);
    const bodies = server.requests.map(({ body }) => JSON.stringify(body));
    expect(bodies.some((body) => body.includes(JSON.stringify('He said "no".\nTwice.').slice(1, -1)))).toBe(true);
  });

  test("with 10 outputs of 500 tokens at a limit of 2,000 never sends a prompt over the limit, and each holds the goal and a summary", async () => {
    const ids = Array.from({ length: 10 }, (_one, index) => `s${index}`);
    const { runPlan, server, steps, traces } = await open({
      rules: [{ contains: "Write one summary", reply: { text: "The summary: the harbour closes in May." } }],
      fallback: { text: "It closes in May." },
    });
    const { ref, task } = await runPlan(
      {
        steps: [
          ...ids.map((id) => source(id, 300)),
          { id: "think", type: "llm", prompt: "Say what was decided", depends_on: ids },
        ],
      },
      { contextWindowLimit: 2_000 },
    );
    expect(task.state).toBe("completed");
    const sent = prompts(server);
    expect(sent.length).toBeGreaterThan(4);
    for (const prompt of sent) {
      expect(tokensOf(prompt)).toBeLessThan(2_000);
      expect(prompt).toContain(goal);
    }
    expect(sent[0]).not.toContain("Summary so far");
    for (const prompt of sent.slice(1)) expect(prompt).toContain("The summary: the harbour closes in May.");
    for (const id of ids) expect(sent.some((prompt) => prompt.includes(`${id}-299`))).toBe(true);
    const found = await steps(ref);
    expect(found.get("think")).toMatchObject({ output: "It closes in May.", attemptNo: 2, failureCount: 0 });
    expect(found.get("think/summary")).toMatchObject({ kind: "summary", type: "summarization", state: "completed" });
    expect(await traces(ref, "context-summarised")).toHaveLength(1);
    expect(task.totalSteps).toBe(11);
  });

  test("of a map whose item is too large is given a summary of the item", async () => {
    const { runPlan, server } = await open({
      rules: [{ contains: "Write one summary", reply: { text: "short" } }],
      fallback: { text: "done" },
    });
    const text = Array.from({ length: 1_200 }, (_one, index) => `w${index}`).join(" ");
    const { task } = await runPlan(
      { steps: [{ id: "each", type: "map", over: [{ text }], step: { type: "llm", prompt: "Summarise" } }] },
      { contextWindowLimit: 2_000 },
    );
    expect(task.state).toBe("completed");
    const sent = prompts(server);
    for (const prompt of sent) expect(tokensOf(prompt)).toBeLessThan(2_000);
    expect(sent.some((prompt) => prompt.includes("w1199"))).toBe(true);
  });

  test("whose own prompt is too large fails, naming the fix", async () => {
    const { runPlan, server, steps } = await open({ fallback: { text: "no" } });
    const { ref } = await runPlan(
      { steps: [{ id: "think", type: "llm", prompt: "x ".repeat(10_000) }] },
      { contextWindowLimit: 2_000 },
    );
    expect((await steps(ref)).get("think")?.error).toMatchObject({
      code: "context-too-large",
      message: expect.stringContaining("contextWindowLimit"),
    });
    expect(prompts(server)).toEqual([]);
  });

  test("whose summary comes back too long has it cut, and still fits", async () => {
    const { runPlan, server } = await open({
      rules: [{ contains: "Write one summary", reply: { text: "long ".repeat(3_000) } }],
      fallback: { text: "done" },
    });
    const { task } = await runPlan(
      {
        steps: [source("a", 600), source("b", 600), { id: "think", type: "llm", prompt: "p", depends_on: ["a", "b"] }],
      },
      { contextWindowLimit: 2_000 },
    );
    expect(task.state).toBe("completed");
    for (const prompt of prompts(server)) expect(tokensOf(prompt)).toBeLessThan(2_000);
  });

  test("passes no token limit: the call that would is not made", async () => {
    const { runPlan, server, steps } = await open({
      fallback: { text: "ok", usage: { inputTokens: 900, outputTokens: 50 } },
    });
    const { ref, task } = await runPlan(
      {
        steps: [
          { id: "one", type: "llm", prompt: "p" },
          { id: "two", type: "llm", prompt: "p", depends_on: ["one"] },
        ],
      },
      { maxTokens: 1_000 },
    );
    expect(task.state).toBe("failed");
    expect((await steps(ref)).get("two")?.error).toMatchObject({ code: "token-limit" });
    expect(prompts(server)).toHaveLength(1);
  });

  test("whose prompt expression yields no text is a step error", async () => {
    const { runPlan, steps } = await open({ fallback: { text: "no" } });
    for (const [source, kind] of [
      ["1 + 1", "number"],
      ["null", "null"],
      ["''", "empty"],
    ] as const) {
      const { ref } = await runPlan({ steps: [{ id: "think", type: "llm", prompt: { $cel: source } }] });
      expect((await steps(ref)).get("think")?.error).toMatchObject({
        code: "invalid-expression",
        message: expect.stringContaining(kind),
      });
    }
  });
});

describe("a task with a limiter of its own", () => {
  test("makes at most so many model calls in any span", async () => {
    const { create, run, server } = await open({ fallback: { text: "Yes." } });
    const limiter = { max: 2, duration: 600 };
    const ids = ["a", "b", "c", "d", "e"];
    const ref = await create(planSpec.parse({ steps: ids.map((id) => ({ id, type: "llm", prompt: "Is it so?" })) }), {
      limiter,
    });
    await run(ref);
    const times = server.requests.filter(({ path }) => path === "/v1/messages").map(({ at }) => at);
    expect(times).toHaveLength(5);
    for (let call = limiter.max; call < times.length; call++) {
      // 50 ms: a call travels after it was let through.
      expect((times[call] ?? 0) - (times[call - limiter.max] ?? 0)).toBeGreaterThan(limiter.duration - 50);
    }
  });
});

describe("an output of more than 2 MB", () => {
  test("stands in the prompt as its beginning, and says so", async () => {
    const { runPlan, server } = await open({ fallback: { text: "ok" } });
    const { task } = await runPlan({
      steps: [source("huge", 250_000), { id: "think", type: "llm", prompt: "p", depends_on: ["huge"] }],
    });
    expect(task.state).toBe("completed");
    const [prompt = ""] = prompts(server);
    expect(prompt).toContain("huge-0 huge-1");
    expect(prompt).toContain("the whole output is kept in the store");
    expect(prompt.length).toBeLessThan(30_000);
  });
});

describe("an answer with a schema", () => {
  const schema = {
    type: "object",
    properties: { total: { type: "number" } },
    required: ["total"],
    additionalProperties: false,
  };
  const plan = {
    steps: [{ id: "think", type: "llm", prompt: "Count", output_schema: schema, retry: { max_attempts: 1 } }],
  };

  test("is stored as the value it is", async () => {
    const { runPlan, steps } = await open({ replies: [{ object: { total: 3 } }] });
    const { ref } = await runPlan(plan);
    expect((await steps(ref)).get("think")?.output).toEqual({ total: 3 });
  });

  test("that does not match is repaired with the problems fed back", async () => {
    const { runPlan, server, steps, traces } = await open({
      replies: [{ object: { total: "three" } }, { object: { total: 3 } }],
    });
    const { ref } = await runPlan(plan);
    expect((await steps(ref)).get("think")?.output).toEqual({ total: 3 });
    expect(prompts(server)[1]).toContain("does not match the schema");
    expect(prompts(server)[1]).toContain("total");
    const rejected = await traces(ref, "output-rejected");
    expect(rejected.map(({ data }) => data["repair"])).toEqual([0]);
    expect((await traces(ref, "model-called")).map(({ data }) => data["purpose"])).toEqual(["reason", "repair"]);
  });

  test("that never matches fails after two repairs, and every call is accounted", async () => {
    const { runPlan, server, steps, traces } = await open({ fallback: { object: { sum: 1 } } });
    const { ref } = await runPlan(plan);
    const step = (await steps(ref)).get("think");
    expect(step).toMatchObject({ state: "failed", error: { code: "output-invalid" } });
    expect(prompts(server)).toHaveLength(3);
    expect(await traces(ref, "output-rejected")).toHaveLength(3);
    expect(step?.outputTokens).toBeGreaterThan(0);
  });

  test("that is no JSON at all is repaired too, and the rejected answer is fed back", async () => {
    const { create, run, steps, server, traces } = await openLocal({
      replies: [{ text: "Three, I think." }, { text: '{"total": 3}' }],
    });
    const ref = await create(planSpec.parse(plan));
    await run(ref);
    expect((await steps(ref)).get("think")?.output).toEqual({ total: 3 });
    expect(JSON.stringify(server.requests[1]?.body)).toContain("Three, I think.");
    // The rejected call is paid for too.
    expect((await traces(ref, "model-called")).map(({ data }) => data["purpose"])).toEqual(["reason", "repair"]);
  });

  test("cannot be asked for with a schema that is none", async () => {
    const { runPlan, steps } = await open({ fallback: { object: {} } });
    const { ref } = await runPlan({
      steps: [{ id: "think", type: "llm", prompt: "Count", output_schema: { type: "nonsense" } }],
    });
    expect((await steps(ref)).get("think")).toMatchObject({ state: "failed", error: { code: "invalid-plan" } });
  });
});

describe("a provider", () => {
  test("that cuts an answer short never makes it an output", async () => {
    const { runPlan, steps } = await open({ fallback: { text: "half an ans", lengthLimited: true } });
    const { ref } = await runPlan({ steps: [{ id: "think", type: "llm", prompt: "p", retry: { max_attempts: 2 } }] });
    expect((await steps(ref)).get("think")).toMatchObject({
      state: "failed",
      failureCount: 2,
      error: { code: "output-cut" },
    });
  });

  test("that refuses fails the step at once", async () => {
    const { runPlan, steps } = await open({ fallback: { fault: { kind: "refusal" } } });
    const { ref } = await runPlan({ steps: [{ id: "think", type: "llm", prompt: "p" }] });
    expect((await steps(ref)).get("think")).toMatchObject({
      state: "failed",
      failureCount: 1,
      error: { code: "model-refused" },
    });
  });

  test("whose call is out when the task is cancelled sees its socket close", async () => {
    const { create, run, store, server } = await open({ fallback: { fault: { kind: "hang" } } });
    const ref = await create(planSpec.parse({ steps: [{ id: "think", type: "llm", prompt: "p" }] }));
    const running = run(ref);
    await expect.poll(() => server.requests.length).toBe(1);
    await store.cancelTask(ref, {});
    await running;
    await expect.poll(() => server.requests[0]?.outcome).toBe("aborted");
  });
});

describe("a summarization step", () => {
  test("without dependencies condenses all that the task has produced", async () => {
    const { runPlan, server, steps } = await open({ fallback: { text: "In short: it closes." } });
    const { ref } = await runPlan({
      steps: [
        source("a", 5),
        { id: "mark", type: "checkpoint", depends_on: ["a"] },
        { id: "sum", type: "summarization", depends_on: ["mark", "a"] },
      ],
    });
    expect((await steps(ref)).get("sum")?.output).toBe("In short: it closes.");
    expect(prompts(server)[0]).toContain("a-4");
  });

  test("of nothing calls no model and is empty", async () => {
    const { runPlan, server, steps, traces } = await open({ fallback: { text: "never" } });
    const { ref } = await runPlan({ steps: [{ id: "sum", type: "summarization" }] });
    expect((await steps(ref)).get("sum")?.output).toBe("");
    expect(prompts(server)).toEqual([]);
    expect(await traces(ref, "context-summarised")).toEqual([]);
  });

  test("fails when the goal leaves no room", async () => {
    const { create, run, steps } = await open({ fallback: { text: "no" } });
    const plan = planSpec.parse({ steps: [source("a", 50), { id: "sum", type: "summarization", depends_on: ["a"] }] });
    const ref = await create(plan, { contextWindowLimit: 500 }, null, "Find out ".repeat(200));
    await run(ref);
    expect((await steps(ref)).get("sum")?.error).toMatchObject({ code: "context-too-large" });
  });

  test("that the model refuses fails", async () => {
    const { runPlan, steps } = await open({ fallback: { fault: { kind: "refusal" } } });
    const { ref } = await runPlan({
      steps: [source("a", 50), { id: "sum", type: "summarization", depends_on: ["a"] }],
    });
    expect((await steps(ref)).get("sum")?.error).toMatchObject({ code: "model-refused" });
  });
});
