import { BatonError, RetryAfter, TerminalError } from "@baton/core";
import { planSpec } from "@baton/core/plan";
import type { EffectStart, ToolReconciliation } from "@baton/core/ports";
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

interface Charge {
  readonly key: string;
  readonly attemptNo: number;
}

/** A tool with a till outside the system; `misbehave` decides what the n-th call does after it has charged. */
function till(
  effect: "read" | "idempotent" | "write",
  misbehave: (callCount: number, signal: AbortSignal) => unknown,
  reconcile?: () => ToolReconciliation<string>,
) {
  const charges: Charge[] = [];
  const tool = defineTool({
    name: "till.charge",
    description: "Charges",
    input: z.object({ amount: z.number() }),
    output: z.string(),
    effect,
    async execute(_input, { idempotencyKey, attemptNo, signal }) {
      charges.push({ key: idempotencyKey, attemptNo });
      await misbehave(charges.length, signal);
      return `charged ${charges.length}`;
    },
    ...(reconcile !== undefined && { reconcile: () => Promise.resolve(reconcile()) }),
  });
  return { tool, charges };
}

const plan = { steps: [{ id: "pay", type: "tool", tool: "till.charge", arguments: { amount: 3 } }] };
const failOnce = (error: () => Error) => (count: number) => {
  if (count === 1) throw error();
};

describe("a tool call", () => {
  test("of an idempotent tool runs again after an unknown outcome, under the same key", async () => {
    const { tool, charges } = till(
      "idempotent",
      failOnce(() => new Error("reset")),
    );
    const { runPlan } = await open({ tools: [tool] });
    const { task } = await runPlan(plan);
    expect(task.state).toBe("completed");
    expect(charges.map(({ attemptNo }) => attemptNo)).toEqual([1, 2]);
    expect(new Set(charges.map(({ key }) => key)).size).toBe(1);
  });

  test("that writes is held for a person after an unknown outcome, and is not repeated", async () => {
    const { tool, charges } = till(
      "write",
      failOnce(() => new Error("reset")),
    );
    const { runPlan, steps, store } = await open({ tools: [tool] });
    const { ref, task } = await runPlan(plan);
    expect(charges).toHaveLength(1);
    expect((await steps(ref)).get("pay")?.error).toMatchObject({
      code: "effect-unknown",
      message: expect.stringContaining("till.charge"),
    });
    expect(["blocked", "failed"]).toContain(task.state);
    expect(await store.whyTask(ref)).not.toEqual([]);
  });

  test("that definitely did nothing may run again, also when it writes", async () => {
    const refusals = [
      () => new RetryAfter("busy", { delayMs: 1 }),
      () => new BatonError("tool-failed", "refused at the door", { details: { sent: false } }),
    ];
    for (const refusal of refusals) {
      const { tool, charges } = till("write", failOnce(refusal));
      const { runPlan, close } = await open({ tools: [tool] });
      const { task } = await runPlan(plan);
      expect(task.state).toBe("completed");
      expect(charges).toHaveLength(2);
      await close();
      bench = undefined;
    }
  });

  test.each([
    ["done", { outcome: "done", output: "it had charged" }, 1, "it had charged"],
    ["not-done", { outcome: "not-done" }, 2, "charged 2"],
  ] as const)("in doubt that the tool knows to be %s goes on accordingly", async (_name, answer, calls, output) => {
    const { tool, charges } = till(
      "write",
      failOnce(() => new Error("reset")),
      () => answer,
    );
    const { runPlan, steps } = await open({ tools: [tool] });
    const { ref, task } = await runPlan(plan);
    expect(task.state).toBe("completed");
    expect((await steps(ref)).get("pay")?.output).toBe(output);
    expect(charges).toHaveLength(calls);
  });

  test("that succeeded before the worker was cut off is replayed, not repeated", async () => {
    const { tool, charges } = till("write", () => undefined);
    let isFirst = true;
    const { create, run, store, executor, takeWakeUps, traces } = await open({
      tools: [tool],
      failPoint: (name) => {
        if (name !== "before-settle" || !isFirst) return;
        isFirst = false;
        throw new TerminalError("the worker ends between the effect and its settlement");
      },
    });
    const ref = await create(planSpec.parse(plan));
    const [wakeUp] = await takeWakeUps();
    if (wakeUp === undefined) throw new Error("nothing was dispatched");
    await executor.performWakeUp(wakeUp);
    // What the reaper does when the session is gone: the step goes to the next attempt.
    const outcome = { outcome: "released", reason: "shutdown" } as const;
    await store.settleAttempt({ ref: wakeUp, attemptNo: 1, outcome, traces: [], mayContinue: false });
    expect((await run(ref)).state).toBe("completed");
    expect(charges).toHaveLength(1);
    expect((await traces(ref, "tool-called")).map(({ data }) => data["replayed"])).toEqual([true]);
  });

  test("with other arguments than the recorded ones is a mismatch", async () => {
    const { tool } = till("write", () => undefined);
    const { runPlan, steps } = await open({
      tools: [tool],
      around: () => ({ startEffect: () => Promise.resolve<EffectStart>({ start: "mismatch" }) }),
    });
    const { ref } = await runPlan(plan);
    expect((await steps(ref)).get("pay")?.error).toMatchObject({ code: "effect-mismatch" });
  });

  test("of an attempt that has lost its lease is not made, and nothing is settled", async () => {
    const { tool, charges } = till("write", () => undefined);
    const { create, executor, takeWakeUps, steps } = await open({
      tools: [tool],
      around: () => ({ startEffect: () => Promise.resolve<EffectStart>({ start: "lease-lost" }) }),
    });
    const ref = await create(planSpec.parse(plan));
    const [wakeUp] = await takeWakeUps();
    if (wakeUp === undefined) throw new Error("nothing was dispatched");
    await executor.performWakeUp(wakeUp);
    expect(charges).toEqual([]);
    expect((await steps(ref)).get("pay")?.state).toBe("running");
  });

  test("whose result comes after the deadline is kept, and the next attempt replays it", async () => {
    const answer = Promise.withResolvers<void>();
    const { tool, charges } = till("write", () => answer.promise);
    const { create, run, steps, store, traces, logged } = await open({ tools: [tool] });
    const hurried = { ...plan.steps[0], timeout_ms: 150, retry: { max_attempts: 1 } };
    const ref = await create(planSpec.parse({ steps: [hurried] }));
    expect((await run(ref)).state).toBe("failed");
    answer.resolve();
    await expect.poll(() => logged.filter(({ event }) => event === "tool-ended-late")).toHaveLength(1);
    await store.retryTask(ref);
    expect((await run(ref)).state).toBe("completed");
    expect((await steps(ref)).get("pay")?.output).toBe("charged 1");
    expect(charges).toHaveLength(1);
    expect((await traces(ref, "tool-called")).map(({ data }) => data["replayed"])).toEqual([true]);
  });

  test("of a tool that is not there, or with wrong arguments, fails at once", async () => {
    const { tool, charges } = till("write", () => undefined);
    const { runPlan, steps } = await open({ tools: [tool] });
    for (const [step, code] of [
      [{ id: "pay", type: "tool", tool: "no.such" }, "unknown-tool"],
      [{ id: "pay", type: "tool", tool: "till.charge", arguments: { amount: "much" } }, "tool-input-invalid"],
    ] as const) {
      const { ref } = await runPlan({ steps: [step] });
      expect((await steps(ref)).get("pay")).toMatchObject({ state: "failed", failureCount: 1, error: { code } });
    }
    expect(charges).toEqual([]);
  });
});

describe("an artifact", () => {
  const copy = defineTool({
    name: "test.copy",
    description: "Writes an artifact and reads it back",
    input: z.object({ text: z.string(), missing: z.boolean().default(false) }),
    output: z.string(),
    effect: "idempotent",
    async execute({ text, missing }, { writeArtifact, readArtifact, progress, now }) {
      progress(`at ${now()}`);
      const ref = await writeArtifact({
        name: "a.txt",
        mediaType: "text/plain",
        content: new TextEncoder().encode(text),
      });
      const read = await readArtifact(missing ? "00000000-0000-7000-8000-000000000000" : ref.artifactId);
      return new TextDecoder().decode(read.content);
    },
  });

  test("that a tool writes can be read by it and listed", async () => {
    const { runPlan, steps, store } = await open({ tools: [copy] });
    const { ref } = await runPlan({
      steps: [{ id: "copy", type: "tool", tool: "test.copy", arguments: { text: "hello" } }],
    });
    expect((await steps(ref)).get("copy")?.output).toBe("hello");
    expect(await store.listArtifacts(ref)).toMatchObject([{ name: "a.txt", sizeBytes: 5 }]);
  });

  test("that does not exist is an error that names it", async () => {
    const { runPlan, steps } = await open({ tools: [copy] });
    const { ref } = await runPlan({
      steps: [{ id: "copy", type: "tool", tool: "test.copy", arguments: { text: "x", missing: true } }],
    });
    expect((await steps(ref)).get("copy")?.error).toMatchObject({
      code: "not-found",
      message: expect.stringContaining("00000000"),
    });
  });
});
