import { planSpec } from "@baton/core/plan";
import { defineTool } from "@baton/tools";
import { afterEach, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { openBench } from "./bench.ts";
import type { Bench, BenchOptions } from "./bench.ts";

let bench: Bench | undefined;
const open = async (options: Omit<BenchOptions, "postgresUrl"> = {}) => {
  bench = await openBench({ postgresUrl: inject("postgresUrl"), ...options });
  return bench;
};
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const cel = (source: string) => ({ $cel: source });
const echo = defineTool({
  name: "echo",
  description: "Gives back what it is given, after a while",
  input: z.object({ value: z.unknown(), afterMs: z.number().default(0) }),
  output: z.unknown(),
  effect: "read",
  async execute({ value, afterMs }) {
    if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs));
    return value;
  },
});
const big = defineTool({
  name: "big",
  description: "Gives back so many characters",
  input: z.object({ chars: z.number() }),
  output: z.string(),
  effect: "read",
  execute: ({ chars }) => "x".repeat(chars),
});
const mapOf = (over: unknown, more: Record<string, unknown> = {}) => ({
  id: "each",
  type: "map",
  over,
  step: { type: "tool", tool: "echo", arguments: { value: cel("item"), afterMs: cel("(3 - int(index)) * 10") } },
  ...more,
});

describe("a map", () => {
  test("gives one output per item, in the order of the items, however they end", async () => {
    const { runPlan, steps, traces } = await open({ tools: [echo] });
    const { ref, task } = await runPlan({ steps: [mapOf(["a", "b", "c"])], result: cel("steps.each.output") });
    expect(task.state).toBe("completed");
    expect((await steps(ref)).get("each")?.output).toEqual(["a", "b", "c"]);
    expect((await traces(ref, "step-expanded"))[0]?.data).toEqual({ itemCount: 3, concurrency: 10 });
  });

  test("runs at most as many items at once as it says", async () => {
    const { create, run, executor } = await open({ tools: [echo] });
    const items = Array.from({ length: 6 }, (_one, index) => index);
    const ref = await create(
      planSpec.parse({
        steps: [
          mapOf(items, {
            concurrency: 2,
            step: { type: "tool", tool: "echo", arguments: { value: cel("item"), afterMs: 20 } },
          }),
        ],
      }),
    );
    let most = 0;
    const watching = setInterval(() => {
      most = Math.max(most, executor.attempts().length);
    }, 2);
    expect((await run(ref)).state).toBe("completed");
    clearInterval(watching);
    expect(most).toBeLessThanOrEqual(2);
  });

  test("over an empty list completes with an empty output", async () => {
    const { runPlan, steps } = await open({ tools: [echo] });
    const { ref } = await runPlan({ steps: [mapOf([])] });
    expect((await steps(ref)).get("each")).toMatchObject({ state: "completed", output: [] });
  });

  test.each([
    ["a text", cel("'text'"), "a string"],
    ["nothing", cel("null"), "nothing"],
  ])("over %s fails, naming what it got", async (_what, over, got) => {
    const { runPlan, steps } = await open({ tools: [echo] });
    const { ref } = await runPlan({ steps: [mapOf(over)] });
    expect((await steps(ref)).get("each")?.error).toMatchObject({
      code: "invalid-expression",
      message: expect.stringContaining(got),
    });
  });

  test("over more than 10,000 items fails, naming the limit", async () => {
    const { runPlan, steps } = await open({ tools: [echo] });
    const { ref } = await runPlan(
      { steps: [mapOf(cel("input"))] },
      {},
      Array.from({ length: 10_001 }, () => 1),
    );
    expect((await steps(ref)).get("each")?.error).toMatchObject({
      code: "payload-too-large",
      message: expect.stringContaining("10000"),
    });
  });

  test("with items above 64 KB joins them from where they are kept", async () => {
    const { runPlan, store, steps } = await open({ tools: [big] });
    const { ref } = await runPlan({
      steps: [
        { id: "each", type: "map", over: [1, 2], step: { type: "tool", tool: "big", arguments: { chars: 70_000 } } },
      ],
    });
    const blobId = (await steps(ref)).get("each")?.blobId ?? "";
    expect(await store.readOutput(ref, blobId)).toEqual(["x".repeat(70_000), "x".repeat(70_000)]);
  });

  test("whose outputs are above 32 MB in all fails, naming the limit", async () => {
    const { runPlan, steps } = await open({ tools: [big] });
    const { ref } = await runPlan({
      steps: [
        {
          id: "each",
          type: "map",
          over: [1, 2],
          step: { type: "tool", tool: "big", arguments: { chars: 17 * 1024 * 1024 } },
        },
      ],
    });
    expect((await steps(ref)).get("each")?.error).toMatchObject({
      code: "payload-too-large",
      message: expect.stringContaining("32 MB"),
    });
  });
});

describe("an output", () => {
  test("above 32 MB fails its step, naming the limit", async () => {
    const { runPlan, steps } = await open({ tools: [big] });
    const { ref } = await runPlan({
      steps: [{ id: "a", type: "tool", tool: "big", arguments: { chars: 33 * 1024 * 1024 } }],
    });
    expect((await steps(ref)).get("a")).toMatchObject({
      failureCount: 1,
      error: { code: "payload-too-large", message: expect.stringContaining("33554432") },
    });
  });

  test("that is handed whole to a tool counts to the size of its arguments, and the error says so", async () => {
    const { runPlan, steps } = await open({ tools: [big, echo] });
    const chars = 32 * 1024 * 1024 - 2;
    const { ref } = await runPlan({
      steps: [
        { id: "a", type: "tool", tool: "big", arguments: { chars } },
        { id: "b", type: "tool", tool: "echo", depends_on: ["a"], arguments: { value: cel("steps.a.output") } },
      ],
    });
    expect((await steps(ref)).get("b")?.error).toMatchObject({
      code: "payload-too-large",
      message: expect.stringMatching(/^The arguments have \d+ bytes; the limit is 33554432/),
    });
  });

  test("kept by reference is read by the expressions of a later step", async () => {
    const { runPlan, steps } = await open({ tools: [big, echo] });
    const { ref } = await runPlan({
      steps: [
        { id: "a", type: "tool", tool: "big", arguments: { chars: 100_000 } },
        { id: "b", type: "tool", tool: "echo", arguments: { value: cel("size(steps.a.output)") }, depends_on: ["a"] },
      ],
    });
    expect((await steps(ref)).get("b")?.output).toBe(100_000);
  });
});

describe("a checkpoint", () => {
  test("keeps the outputs that were settled, and they can be restored equal", async () => {
    const { runPlan, store, steps } = await open({ tools: [echo] });
    const { ref } = await runPlan({
      steps: [
        { id: "a", type: "tool", tool: "echo", arguments: { value: { n: [1, "two"] } } },
        { id: "mark", type: "checkpoint", depends_on: ["a"] },
        { id: "b", type: "tool", tool: "echo", arguments: { value: "later" }, depends_on: ["mark"] },
      ],
    });
    const output = (await steps(ref)).get("mark")?.output as { checkpointId: string; stepCount: number };
    const context = await store.checkpointContext(ref, output.checkpointId);
    expect(context?.map(({ key, output: kept }) => [key, kept])).toEqual([["a", { n: [1, "two"] }]]);
    expect(output.stepCount).toBe(1);
  });

  test("of an attempt that lost its lease settles nothing", async () => {
    const { create, executor, takeWakeUps, steps } = await open({
      around: () => ({ saveCheckpoint: () => Promise.resolve("lease-lost" as const) }),
    });
    const ref = await create(planSpec.parse({ steps: [{ id: "mark", type: "checkpoint" }] }));
    for (const wakeUp of await takeWakeUps()) await executor.performWakeUp(wakeUp);
    expect((await steps(ref)).get("mark")?.state).toBe("running");
  });
});
