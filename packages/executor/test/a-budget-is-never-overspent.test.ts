import { defaultTenantId } from "@baton/core";
import { planSpec } from "@baton/core/plan";
import { startModelServer } from "@baton/testing/model-server";
import type { ModelServer, ModelServerScript } from "@baton/testing/model-server";
import { defineTool } from "@baton/tools";
import { afterEach, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { modelsWithinTenant } from "../src/index.ts";
import { openBench } from "./bench.ts";
import type { Bench, BenchOptions } from "./bench.ts";

let bench: Bench | undefined;
let server: ModelServer | undefined;
const open = async (script: ModelServerScript, options: Omit<BenchOptions, "postgresUrl"> = {}) => {
  server = await startModelServer(script);
  bench = await openBench({ postgresUrl: inject("postgresUrl"), modelUrl: server.url, tools: [tick], ...options });
  return { ...bench, server };
};
afterEach(async () => {
  await bench?.close();
  await server?.close();
  bench = undefined;
  server = undefined;
});

const tick = defineTool({
  name: "tick",
  description: "Does nothing",
  input: z.object({}),
  output: z.string(),
  effect: "read",
  execute: () => "tick",
});

const thinks = (count: number, more: Readonly<Record<string, unknown>> = {}) => ({
  steps: Array.from({ length: count }, (_one, no) => ({
    id: `think-${no}`,
    type: "llm",
    prompt: "Think.",
    on_exhausted: "hold",
    ...more,
  })),
});
/** Of one prompt, as the steps above make it: above what is counted, so that nothing overruns. */
const promptTokens = 60;
const answers = (outputTokens: number, inputTokens = promptTokens): ModelServerScript => ({
  fallback: { text: "Thought.", usage: { inputTokens, outputTokens } },
});
const calls = (from: ModelServer) => from.requests.filter(({ path }) => path === "/v1/messages");

/** The figures of the task's budget at every moment until `until` is done. */
async function watched(over: Bench, ref: Parameters<Bench["run"]>[0], until: Promise<unknown>) {
  const seen: { readonly tokens: number; readonly calls: number }[] = [];
  let isOver = false;
  const ended = until.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const row = await over.store.readTaskBudget(ref);
    if (row === undefined) throw new Error("The task is gone.");
    seen.push({
      tokens: row.settled.tokens + row.reserved.tokens,
      calls: row.settled.modelCalls + row.reserved.modelCalls,
    });
  }
  await ended;
  return seen;
}

describe("twenty parallel steps under one cap", () => {
  test("never have more settled and reserved than it, and those that do not fit any more stop, naming cap and fix", async () => {
    const opened = await open(answers(150), { slots: 20 });
    const ref = await opened.create(planSpec.parse(thinks(20, { max_output_tokens: 150 })), {
      budget: { tokens: 2_500 },
    });
    const seen = await watched(opened, ref, opened.run(ref));
    expect(seen.length).toBeGreaterThan(2);
    for (const { tokens } of seen) expect(tokens).toBeLessThanOrEqual(2_500);
    const budget = await opened.store.readTaskBudget(ref);
    expect(budget).toMatchObject({ reserved: { tokens: 0 }, overrun: { tokens: 0 } });
    const steps = [...(await opened.steps(ref)).values()];
    const done = steps.filter(({ state }) => state === "completed").length;
    expect(calls(opened.server)).toHaveLength(done);
    expect(budget?.settled).toMatchObject({ modelCalls: done, tokens: done * 210 });
    expect(done).toBeGreaterThanOrEqual(10);
    expect(done).toBeLessThan(12);
    const failed = steps.find(({ state }) => state === "failed");
    expect(failed).toMatchObject({ attemptNo: 1, error: { code: "budget-exceeded" } });
    for (const part of ["2500 tokens", "budget.tokens", `PATCH /api/v1/tasks/${ref.taskId}/budget`])
      expect(failed?.error?.message).toContain(part);
    expect(await opened.traces(ref, "budget-exceeded")).toHaveLength(20 - done);
  });

  test("that all fit one after the other all complete: what others have reserved is waited for", async () => {
    const opened = await open(answers(10), { slots: 20 });
    // Each may take 1,000, and takes 70.
    const { task, ref } = await opened.runPlan(thinks(20, { max_output_tokens: 1_000 }), {
      budget: { tokens: 3_000, modelCalls: 20 },
    });
    expect(task.state).toBe("completed");
    expect(await opened.store.readTaskBudget(ref)).toMatchObject({
      settled: { tokens: 1_400, modelCalls: 20 },
      reserved: { tokens: 0 },
    });
    expect(await opened.traces(ref, "budget-exceeded")).toEqual([]);
  });
});

describe("a call", () => {
  test("gets no more max_tokens than its budget has left", async () => {
    const { runPlan, server } = await open(answers(10));
    const { task } = await runPlan(thinks(1), { budget: { tokens: 2_000 } });
    expect(task.state).toBe("completed");
    const asked = Number(calls(server)[0]?.body["max_tokens"]);
    expect(asked).toBeGreaterThan(1_500);
    expect(asked).toBeLessThan(2_000);
  });

  test("without any cap is sent as it is, and counts in the usage of its tenant", async () => {
    const { runPlan, server, store } = await open(answers(10));
    const { ref } = await runPlan(thinks(1));
    expect(calls(server)[0]?.body["max_tokens"]).toBe(64_000);
    const today = new Date().toISOString().slice(0, 10);
    const usage = await store.usage({ tenantId: ref.tenantId, from: today, to: today, groupBy: "model", limit: 9 });
    expect(usage.rows).toMatchObject([
      {
        provider: "anthropic",
        model: "claude-haiku-4-5",
        calls: 1,
        inputTokens: 60,
        outputTokens: 10,
        costUsd: 0.000_11,
      },
    ]);
  });

  test("of a tool, or of the offline model, costs no round trip in a task without a budget", async () => {
    const reserved: string[] = [];
    const { runPlan } = await open(answers(10), {
      around: (store) => ({
        reserveCall(call) {
          reserved.push(call.kind);
          return store.reserveCall(call);
        },
      }),
    });
    const offline = { provider: "offline", model: "offline-rules" };
    const text =
      "Summarise this text: A queue holds work until a worker takes it. A worker that dies gives nothing back.";
    const plan = {
      steps: [
        { id: "tool", type: "tool", tool: "tick", arguments: {} },
        { id: "offline", type: "llm", prompt: text, model: offline },
      ],
    };
    expect((await runPlan(plan)).task.state).toBe("completed");
    expect(reserved).toEqual([]);
    expect((await runPlan(plan, { budget: { tokens: 50_000 } })).task.state).toBe("completed");
    expect(reserved).toEqual(["model"]);
  });

  test("whose answer ends where the budget does is paid for and not tried again", async () => {
    const { runPlan, server, steps, store } = await open({
      fallback: { text: "Thoug", lengthLimited: true, usage: { inputTokens: 60, outputTokens: 400 } },
    });
    const { ref } = await runPlan(thinks(1), { budget: { tokens: 600 } });
    expect(calls(server)).toHaveLength(1);
    const step = (await steps(ref)).get("think-0");
    expect(step).toMatchObject({ inputTokens: 60, outputTokens: 400, error: { code: "budget-exceeded" } });
    expect(step?.error?.message).toContain("cut off");
    expect(await store.readTaskBudget(ref)).toMatchObject({ settled: { tokens: 460 }, reserved: { tokens: 0 } });
  });

  test("that takes more input than was counted shows the overrun in its trace and its budget", async () => {
    const { runPlan, store, traces } = await open(answers(20, 5_000));
    const { ref } = await runPlan(thinks(1, { max_output_tokens: 20 }), { budget: { tokens: 1_000 } });
    const [called] = await traces(ref, "model-called");
    const overrun = Number(called?.data["overrunTokens"]);
    expect(overrun).toBeGreaterThan(4_000);
    expect(await store.readTaskBudget(ref)).toMatchObject({ settled: { tokens: 5_020 }, overrun: { tokens: overrun } });
  });

  test("that the provider refuses costs nothing; one that breaks off after it was sent costs its upper bound", async () => {
    const refusing = await open({ fallback: { fault: { kind: "overloaded" } } });
    const one = await refusing.runPlan(thinks(1, { retry: { max_attempts: 1 } }), { budget: { tokens: 5_000 } });
    expect(await refusing.store.readTaskBudget(one.ref)).toMatchObject({
      settled: { tokens: 0, modelCalls: 0 },
      reserved: { tokens: 0 },
    });
    await refusing.close();
    bench = undefined;
    await refusing.server.close();
    const breaking = await open({ fallback: { fault: { kind: "reset" } } });
    const other = await breaking.runPlan(thinks(1, { retry: { max_attempts: 1 }, max_output_tokens: 500 }), {
      budget: { tokens: 5_000 },
    });
    const { settled, reserved } = (await breaking.store.readTaskBudget(other.ref)) ?? {};
    expect(settled).toMatchObject({ modelCalls: 1 });
    expect(settled?.tokens).toBeGreaterThan(500);
    expect(reserved).toMatchObject({ tokens: 0 });
  });

  test("that is cancelled under way is charged whole, and nothing stays reserved", async () => {
    const { create, run, store, server } = await open({ fallback: { fault: { kind: "hang" } } });
    const ref = await create(planSpec.parse(thinks(1, { max_output_tokens: 500 })), { budget: { tokens: 5_000 } });
    const running = run(ref);
    await expect.poll(() => calls(server).length).toBe(1);
    await store.cancelTask(ref, {});
    await running;
    const row = await store.readTaskBudget(ref);
    expect(row).toMatchObject({ settled: { modelCalls: 1 }, reserved: { tokens: 0, modelCalls: 0 } });
    expect(row?.settled.tokens).toBeGreaterThan(500);
  });
});

describe("a breach", () => {
  test("that asks holds the step until a person raises the cap, and then it goes on by itself", async () => {
    const { create, run, store, steps, traces } = await open(answers(100));
    const plan = planSpec.parse(thinks(1, { max_output_tokens: 500, on_exhausted: "fail" }));
    const ref = await create(plan, { budget: { tokens: 300, onBreach: "ask" } });
    expect((await run(ref)).state).toBe("blocked");
    const held = (await steps(ref)).get("think-0");
    expect(held).toMatchObject({ state: "failed", error: { code: "budget-exceeded" } });
    expect(held?.error?.message).toContain("and the step goes on");
    expect(await store.changeTaskBudget(ref, { tokens: 2_000 }, {})).toMatchObject({ answer: "changed" });
    expect((await run(ref, ({ state }) => state === "completed")).state).toBe("completed");
    expect(await traces(ref, "budget-changed")).toHaveLength(1);
  });

  test("goes on with the cheaper model where the budget allows that one, and says so once", async () => {
    const { runPlan, server, traces, store } = await open(answers(100));
    const model = { provider: "anthropic", model: "claude-opus-5" };
    const cheaper = { provider: "anthropic", model: "claude-haiku-5-5" };
    // 500 tokens of the one cost 0.0125 USD, of the other 0.00025.
    const { ref, task } = await runPlan(thinks(1, { max_output_tokens: 500, model }), {
      budget: { usd: 0.001, onBreach: { model: cheaper } },
    });
    expect(task.state).toBe("completed");
    expect(calls(server).map(({ body }) => body["model"])).toEqual(["claude-haiku-5-5"]);
    expect(await traces(ref, "budget-model-switched")).toMatchObject([
      { data: { from: model, to: cheaper, kind: "usd" } },
    ]);
    expect((await traces(ref, "model-called"))[0]?.data["model"]).toEqual(cheaper);
    expect((await store.readTaskBudget(ref))?.settled.usd).toBeLessThanOrEqual(0.001);
    const other = await runPlan(thinks(1, { max_output_tokens: 500, model }), {
      budget: { usd: 0.000_1, onBreach: { model: cheaper } },
    });
    expect(await traces(other.ref, "budget-exceeded")).toHaveLength(1);
  });

  test("of the wall clock ends a call under way", async () => {
    const { runPlan, steps, store } = await open({ fallback: { fault: { kind: "hang" } } });
    const { ref } = await runPlan(thinks(1, { max_output_tokens: 500 }), { budget: { wallMs: 3_000 } });
    const step = (await steps(ref)).get("think-0");
    expect(step).toMatchObject({ attemptNo: 1, error: { code: "budget-exceeded" } });
    expect(step?.error?.message).toContain("budget.wallMs");
    expect(await store.readTaskBudget(ref)).toMatchObject({ settled: { modelCalls: 1 }, reserved: { modelCalls: 0 } });
  });

  test("of tool calls lets no further tool run", async () => {
    const { runPlan, steps, store } = await open(answers(1));
    const plan = {
      steps: [
        { id: "a", type: "tool", tool: "tick", arguments: {} },
        { id: "b", type: "tool", tool: "tick", arguments: {}, depends_on: ["a"] },
      ],
    };
    const { ref } = await runPlan(plan, { budget: { toolCalls: 1 } });
    expect((await steps(ref)).get("a")?.state).toBe("completed");
    expect((await steps(ref)).get("b")).toMatchObject({ attemptNo: 1, error: { code: "budget-exceeded" } });
    expect(await store.readTaskBudget(ref)).toMatchObject({ settled: { toolCalls: 1 } });
  });

  test("of the tenant's day stops every task of it", async () => {
    const { create, run, steps, store } = await open(answers(10));
    const ref = await create(planSpec.parse(thinks(3, { max_output_tokens: 10 })));
    await store.setTenantBudget(ref.tenantId, "tenant-day", { modelCalls: 2 });
    await run(ref);
    const failed = [...(await steps(ref)).values()].filter(({ state }) => state === "failed");
    expect(failed).toHaveLength(1);
    expect(failed[0]?.error?.message).toContain("PUT /api/v1/budgets/tenant-day");
  });
});

describe("what a message becomes", () => {
  test("is decided within the tenant's budget, before there is a task", async () => {
    const { models, server, store } = await open(answers(10));
    const within = modelsWithinTenant(models, store, defaultTenantId);
    const request = {
      model: models.resolve(undefined),
      brief: { kind: "decide", message: "hello" },
      messages: [{ role: "user", content: "hello" }],
      signal: new AbortController().signal,
    } as const;
    await store.setTenantBudget(defaultTenantId, "tenant", { modelCalls: 1 });
    expect((await within.generate(request)).text).toBe("Thought.");
    await expect(within.generate(request)).rejects.toMatchObject({ code: "budget-exceeded" });
    expect(calls(server)).toHaveLength(1);
    expect(await store.readTenantBudget(defaultTenantId, "tenant")).toMatchObject({
      settled: { tokens: 70, modelCalls: 1 },
      reserved: { tokens: 0 },
    });
  });
});
