import { TerminalError } from "@baton/core";
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
const toolStep = (id: string, tool: string, more: Record<string, unknown> = {}) => ({
  id,
  type: "tool",
  tool,
  ...more,
});

const echo = defineTool({
  name: "echo",
  description: "Gives back what it is given",
  input: z.object({ value: z.unknown() }),
  output: z.unknown(),
  effect: "read",
  execute: ({ value }) => value,
});

/** Waits for its signal, or for ever. */
const hang = defineTool({
  name: "hang",
  description: "Never ends by itself",
  input: z.object({}),
  output: z.unknown(),
  effect: "read",
  execute: (_input, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
});

describe("an attempt", () => {
  test("goes from claim to a settled output, and its successor follows in the same slot", async () => {
    const { runPlan, steps, traces } = await open({ tools: [echo] });
    const { ref, task } = await runPlan({
      steps: [
        toolStep("a", "echo", { arguments: { value: { n: 1 } } }),
        toolStep("b", "echo", { arguments: { value: cel("steps.a.output.n") }, depends_on: ["a"] }),
      ],
    });
    expect(task.state).toBe("completed");
    expect((await steps(ref)).get("b")?.output).toBe(1);
    const started = await traces(ref, "step-started");
    expect(started.map(({ data }) => data["continued"])).toEqual([false, true]);
    expect(await traces(ref, "tool-called")).toHaveLength(2);
  });

  test("kills a branch whose condition is false, and takes the other", async () => {
    const { runPlan, steps } = await open({ tools: [echo] });
    const { ref, task } = await runPlan({
      steps: [
        toolStep("score", "echo", { arguments: { value: 3 } }),
        toolStep("high", "echo", {
          arguments: { value: 1 },
          depends_on: [{ step: "score", when: cel("steps.score.output > 5") }],
        }),
        toolStep("low", "echo", {
          arguments: { value: 2 },
          depends_on: [{ step: "score", when: cel("steps.score.output <= 5") }],
        }),
      ],
    });
    const states = [...(await steps(ref)).values()].map(({ key, state }) => [key, state]);
    expect({ state: task.state, states }).toEqual({
      state: "completed",
      states: [
        ["score", "completed"],
        ["high", "skipped"],
        ["low", "completed"],
      ],
    });
  });

  test("that fails is tried again, and completes with the count of failures kept", async () => {
    let calls = 0;
    const flaky = defineTool({
      ...echo,
      name: "flaky",
      execute: () => {
        calls += 1;
        if (calls < 3) throw new Error("not now");
        return "done";
      },
    });
    const { runPlan, steps } = await open({ tools: [flaky] });
    const { ref, task } = await runPlan({ steps: [toolStep("a", "flaky", { arguments: { value: 1 } })] });
    expect(task.state).toBe("completed");
    expect((await steps(ref)).get("a")).toMatchObject({ failureCount: 2, attemptNo: 3, output: "done" });
  });

  test("that fails for good fails the task, with code and causes", async () => {
    const broken = defineTool({
      ...echo,
      name: "broken",
      execute: () => {
        throw new TerminalError("never works", { code: "no-luck", cause: new Error("because") });
      },
    });
    const { runPlan, steps } = await open({ tools: [broken] });
    const { ref, task } = await runPlan({ steps: [toolStep("a", "broken", { arguments: { value: 1 } })] });
    expect(task.state).toBe("failed");
    expect((await steps(ref)).get("a")?.error).toMatchObject({
      code: "no-luck",
      message: "never works",
      causes: [{}, { message: "because" }],
    });
  });

  test("whose condition cannot be judged is a step error, not a lost step", async () => {
    const { runPlan, steps } = await open({ tools: [echo] });
    const { ref, task } = await runPlan({
      steps: [
        toolStep("a", "echo", { arguments: { value: "text" } }),
        toolStep("b", "echo", { arguments: { value: 1 }, depends_on: [{ step: "a", when: cel("steps.a.output") }] }),
      ],
    });
    expect(task.state).toBe("failed");
    expect((await steps(ref)).get("a")?.error).toMatchObject({ code: "invalid-expression" });
  });

  test("is told of when it starts and when it ends, its deadline being known meanwhile", async () => {
    const { runPlan, attemptCounts } = await open({ tools: [echo] });
    await runPlan({ steps: [toolStep("a", "echo", { arguments: { value: 1 } })] });
    expect(attemptCounts).toEqual([1, 0]);
  });

  test("past its deadline is aborted and counts as a failure", async () => {
    const { runPlan, steps } = await open({ tools: [hang] });
    const { ref, task } = await runPlan({
      steps: [toolStep("a", "hang", { timeout_ms: 50, retry: { max_attempts: 2 } })],
    });
    expect(task.state).toBe("failed");
    expect((await steps(ref)).get("a")).toMatchObject({ failureCount: 2, error: { code: "deadline-exceeded" } });
  });

  test("that ignores its abort is abandoned: it settles, and its slot stays taken until it ends", async () => {
    const release = Promise.withResolvers<void>();
    const { create, run, executor, recorded, takeWakeUps } = await open({
      abandonAfterMs: 20,
      performers: {
        checkpoint: async () => {
          await release.promise;
          return { performed: "output", output: "too late" };
        },
      },
    });
    const ref = await create(
      planSpec.parse({ steps: [{ id: "a", type: "checkpoint", timeout_ms: 30, retry: { max_attempts: 1 } }] }),
    );
    const [wakeUp] = await takeWakeUps();
    if (wakeUp === undefined) throw new Error("nothing was dispatched");
    let isOver = false;
    const performing = executor.performWakeUp(wakeUp).then(() => {
      isOver = true;
    });
    const task = await run(ref);
    expect(task).toMatchObject({ state: "failed", lastError: { code: "deadline-exceeded" } });
    await expect.poll(() => executor.attempts().map(({ state }) => state)).toEqual(["abandoned"]);
    expect(isOver).toBe(false);
    release.resolve();
    await performing;
    expect(executor.attempts()).toEqual([]);
    expect(recorded.some(({ name }) => name === "baton_attempts_abandoned_total")).toBe(true);
  });

  test("of a cancelled task is aborted, and nothing of it is committed", async () => {
    const { create, run, store, executor, steps } = await open({ tools: [hang] });
    const ref = await create(planSpec.parse({ steps: [toolStep("a", "hang")] }));
    const running = run(ref);
    await expect.poll(() => executor.attempts().length).toBe(1);
    await store.cancelTask(ref, { by: "test" });
    expect((await running).state).toBe("cancelled");
    await expect.poll(() => executor.attempts()).toEqual([]);
    expect((await steps(ref)).get("a")).toMatchObject({ state: "cancelled", failureCount: 0 });
  });

  test("whose cancel overtakes its claim never begins", async () => {
    let calls = 0;
    const counted = defineTool({ ...echo, name: "counted", execute: () => ++calls });
    const { create, executor, takeWakeUps } = await open({ tools: [counted] });
    const ref = await create(planSpec.parse({ steps: [toolStep("a", "counted", { arguments: { value: 1 } })] }));
    for (let other = 0; other < 1_000; other++) executor.stopTask({ taskId: `other-${other}`, reason: "cancel" });
    executor.stopTask({ taskId: ref.taskId, reason: "cancel" });
    for (const wakeUp of await takeWakeUps()) await executor.performWakeUp(wakeUp);
    expect(calls).toBe(0);
  });

  test("of a paused task is handed back without counting, and runs after the resume", async () => {
    let calls = 0;
    const once = defineTool({
      ...hang,
      name: "once",
      execute: (input, call) => {
        calls += 1;
        return calls === 1 ? hang.execute(input, call) : "second";
      },
    });
    const { create, run, store, executor, steps } = await open({ tools: [once] });
    const ref = await create(planSpec.parse({ steps: [toolStep("a", "once")] }));
    const running = run(ref);
    // Not only begun: an attempt that is stopped before its call would leave the first call to the next one.
    await expect.poll(() => calls).toBe(1);
    await store.pauseTask(ref);
    expect((await running).state).toBe("paused");
    await expect.poll(() => executor.attempts()).toEqual([]);
    await store.resumeTask(ref);
    expect((await run(ref)).state).toBe("completed");
    expect((await steps(ref)).get("a")).toMatchObject({ failureCount: 0, attemptNo: 2, output: "second" });
  });

  test("hands its slot back at a shutdown, uncounted, after the grace", async () => {
    const { create, run, executor, steps } = await open({ tools: [hang] });
    const ref = await create(planSpec.parse({ steps: [toolStep("a", "hang")] }));
    const running = run(ref, () => executor.attempts().length === 1);
    await running;
    expect(await executor.drain(10)).toEqual([]);
    expect((await steps(ref)).get("a")).toMatchObject({ state: "ready", failureCount: 0, crashCount: 0 });
  });

  test("that ignores its signal is handed back at a shutdown all the same, and is not waited for", async () => {
    const release = Promise.withResolvers<void>();
    const { create, steps, executor, takeWakeUps } = await open({
      performers: {
        checkpoint: async () => {
          await release.promise;
          return { performed: "output", output: "too late" };
        },
      },
    });
    const ref = await create(planSpec.parse({ steps: [{ id: "a", type: "checkpoint" }] }));
    const [wakeUp] = await takeWakeUps();
    if (wakeUp === undefined) throw new Error("nothing was dispatched");
    const performing = executor.performWakeUp(wakeUp);
    await expect.poll(() => executor.attempts().length).toBe(1);
    expect(await executor.drain(0)).toEqual([]);
    expect((await steps(ref)).get("a")).toMatchObject({ state: "ready", failureCount: 0, crashCount: 0 });
    await performing;
    release.resolve();
  });

  test("that ends within the grace is settled, and its successor is left to others", async () => {
    const gate = Promise.withResolvers<string>();
    const slow = defineTool({ ...echo, name: "slow", execute: () => gate.promise });
    const { create, run, executor, steps } = await open({ tools: [slow, echo] });
    const ref = await create(
      planSpec.parse({
        steps: [
          toolStep("a", "slow", { arguments: { value: 1 } }),
          toolStep("b", "echo", { arguments: { value: 1 }, depends_on: ["a"] }),
        ],
      }),
    );
    await run(ref, () => executor.attempts().length === 1);
    const drained = executor.drain(20_000);
    gate.resolve("done");
    expect(await drained).toEqual([]);
    const found = await steps(ref);
    expect([found.get("a")?.state, found.get("b")?.state]).toEqual(["completed", "ready"]);
  });

  test("is not claimed twice however often its wake-up comes", async () => {
    let calls = 0;
    const counted = defineTool({ ...echo, name: "counted", execute: () => ++calls });
    const { create, executor, takeWakeUps, steps, recorded } = await open({ tools: [counted] });
    const ref = await create(planSpec.parse({ steps: [toolStep("a", "counted", { arguments: { value: 1 } })] }));
    const wakeUps = await takeWakeUps();
    await Promise.all([...wakeUps, ...wakeUps, ...wakeUps].map((wakeUp) => executor.performWakeUp(wakeUp)));
    expect(calls).toBe(1);
    expect((await steps(ref)).get("a")?.attemptNo).toBe(1);
    expect(
      recorded.filter(({ name, labels }) => name === "baton_claims_total" && labels["result"] === "empty"),
    ).toHaveLength(2);
  });

  test("tells watchers that something moved", async () => {
    const { create, run, live } = await open({ tools: [echo] });
    const ref = await create(planSpec.parse({ steps: [toolStep("a", "echo", { arguments: { value: 1 } })] }));
    const seen: unknown[] = [];
    const subscription = await live.subscribe(`task:${ref.taskId}`, undefined, ({ data }) => seen.push(data));
    await run(ref);
    await expect.poll(() => seen).toContainEqual(expect.objectContaining({ kind: "moved" }));
    await subscription.close();
  });
});
