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
  effect: "read" | "idempotent" | "write" | "irreversible",
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
    for (const effect of ["write", "irreversible"] as const) {
      const { tool, charges } = till(
        effect,
        failOnce(() => new Error("reset")),
      );
      const { runPlan, steps, store, traces, close } = await open({ tools: [tool] });
      const beside = { id: "beside", type: "checkpoint", depends_on: [] };
      const { ref, task } = await runPlan({ steps: [...plan.steps, beside] });
      expect(charges).toHaveLength(1);
      const { pay, beside: other } = Object.fromEntries(await steps(ref));
      expect(pay).toMatchObject({
        attemptNo: 1,
        error: { code: "effect-unknown", message: expect.stringContaining("till.charge") },
      });
      expect(other?.state).toBe("completed");
      expect(task.state).toBe("blocked");
      expect((await traces(ref, "effect-unknown")).map(({ data }) => data)).toMatchObject([
        { callNo: 1, tool: "till.charge", effect, idempotencyKey: `${pay?.stepId}-1`, message: expect.any(String) },
      ]);
      expect(await store.whyTask(ref)).toMatchObject([
        {
          on: "person",
          stepKey: "pay",
          detail: expect.stringContaining('till.charge({"amount": 3})'),
          movedBy: expect.stringContaining("/effects/1/resolve"),
        },
      ]);
      // A retry is not a person's word about the call.
      await store.retryTask(ref);
      await close();
      bench = undefined;
    }
  });

  test("in doubt is not made again by a retry: only by the word of a person that it did not take place", async () => {
    const { tool, charges } = till(
      "irreversible",
      failOnce(() => new Error("reset")),
    );
    const { runPlan, run, steps, store } = await open({ tools: [tool] });
    const { ref } = await runPlan(plan);
    await store.retryTask(ref);
    expect((await run(ref)).state).toBe("blocked");
    expect(charges).toHaveLength(1);
    const stepId = (await steps(ref)).get("pay")?.stepId ?? "";
    const word = { outcome: "not-done", attemptNo: 1, reason: "the till is empty" } as const;
    expect(await store.resolveEffect({ ...ref, stepId }, 1, word)).toMatchObject({ answer: "changed" });
    expect((await run(ref)).state).toBe("completed");
    expect(charges.map(({ key }) => key)).toEqual([`${stepId}-1`, `${stepId}-1`]);
  });

  test("of which a person says that it took place is replayed with the result that the person gives", async () => {
    const { tool, charges } = till(
      "irreversible",
      failOnce(() => new Error("reset")),
    );
    const { runPlan, run, steps, store, traces } = await open({ tools: [tool] });
    const { ref } = await runPlan(plan);
    const stepId = (await steps(ref)).get("pay")?.stepId ?? "";
    const word = { outcome: "succeeded", resultJson: '"charged 1"', attemptNo: 1, by: "ann", reason: "seen" } as const;
    expect(await store.resolveEffect({ ...ref, stepId }, 1, word)).toMatchObject({ answer: "changed" });
    expect((await run(ref)).state).toBe("completed");
    expect((await steps(ref)).get("pay")?.output).toBe("charged 1");
    expect(charges).toHaveLength(1);
    expect((await traces(ref, "effect-resolved")).map(({ data }) => data)).toMatchObject([
      { callNo: 1, outcome: "succeeded", by: "ann", reason: "seen" },
    ]);
  });

  test("that ends its step for good keeps its own error, and what is known of it", async () => {
    for (const [sent, state] of [
      [false, "refused"],
      [undefined, "unknown"],
    ] as const) {
      const { tool } = till(
        "write",
        failOnce(() => new TerminalError("declined", { code: "declined", ...(sent !== undefined && { sent }) })),
      );
      const { runPlan, steps, store, close } = await open({ tools: [tool] });
      const { ref, task } = await runPlan(plan);
      expect(task.state).toBe("failed");
      expect((await steps(ref)).get("pay")?.error?.code).toBe("declined");
      expect(await store.listEffects(ref, { limit: 10 })).toMatchObject([{ state }]);
      await close();
      bench = undefined;
    }
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
    const { runPlan, steps, store, traces } = await open({ tools: [tool] });
    const { ref, task } = await runPlan(plan);
    expect(task.state).toBe("completed");
    expect((await steps(ref)).get("pay")?.output).toBe(output);
    expect(charges).toHaveLength(calls);
    expect((await traces(ref, "effect-reconciled")).map(({ data }) => data["outcome"])).toEqual([answer.outcome]);
    expect(await store.listEffects(ref, { limit: 10 })).toMatchObject([{ state: "succeeded", late: false }]);
    expect(await traces(ref, "effect-late")).toEqual([]);
  });

  test.each([
    ["cannot tell of", () => ({ outcome: "unknown" as const })],
    [
      "fails to tell of",
      () => {
        throw new Error("the till is closed");
      },
    ],
  ])("in doubt that the tool %s is asked for while attempts are left, and then held", async (_name, answer) => {
    const asked: number[] = [];
    const { tool, charges } = till(
      "write",
      failOnce(() => new Error("reset")),
      () => {
        asked.push(1);
        return answer();
      },
    );
    const { runPlan, steps } = await open({ tools: [tool] });
    const { ref, task } = await runPlan({
      steps: [{ ...plan.steps[0], retry: { max_attempts: 3, base_ms: 1, cap_ms: 2 } }],
    });
    expect(task.state).toBe("blocked");
    expect((await steps(ref)).get("pay")).toMatchObject({ attemptNo: 3, error: { code: "effect-unknown" } });
    expect([charges.length, asked.length]).toEqual([1, 2]);
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
    const { ref, task } = await runPlan(plan);
    expect((await steps(ref)).get("pay")?.error).toMatchObject({ code: "effect-mismatch" });
    expect(task.state).toBe("blocked");
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

  test("whose result comes after the deadline is kept, and its held step goes on by itself with it", async () => {
    const answer = Promise.withResolvers<void>();
    const { tool, charges } = till("write", () => answer.promise);
    const { create, run, steps, store, traces } = await open({ tools: [tool] });
    const hurried = { ...plan.steps[0], timeout_ms: 150, retry: { max_attempts: 1 } };
    const ref = await create(planSpec.parse({ steps: [hurried] }));
    expect((await run(ref)).state).toBe("blocked");
    answer.resolve();
    await expect.poll(async () => (await store.getTask(ref))?.state).toBe("running");
    expect((await traces(ref, "effect-late")).map(({ data }) => data)).toMatchObject([{ state: "succeeded" }]);
    expect((await run(ref)).state).toBe("completed");
    expect((await steps(ref)).get("pay")?.output).toBe("charged 1");
    expect(charges).toHaveLength(1);
    expect((await traces(ref, "tool-called")).map(({ data }) => data["replayed"])).toEqual([true]);
  });

  test("that is cancelled while it is out keeps its late result", async () => {
    const [begun, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { tool } = till("irreversible", () => {
      begun.resolve();
      return answer.promise;
    });
    const { create, executor, takeWakeUps, store, traces } = await open({ tools: [tool] });
    const ref = await create(planSpec.parse(plan));
    const [wakeUp] = await takeWakeUps();
    if (wakeUp === undefined) throw new Error("nothing was dispatched");
    const work = executor.performWakeUp(wakeUp);
    await begun.promise;
    await store.cancelTask(ref, {});
    executor.stopTask({ taskId: ref.taskId, reason: "cancel" });
    await work;
    expect(await store.listEffects(ref, { limit: 10 })).toMatchObject([{ state: "unknown" }]);
    answer.resolve();
    const effects = () => store.listEffects(ref, { limit: 10 });
    await expect.poll(async () => (await effects())[0]).toMatchObject({ state: "succeeded", late: true });
    expect((await store.getTask(ref))?.state).toBe("cancelled");
    expect(await traces(ref, "effect-late")).toHaveLength(1);
  });

  test("of an attempt that is stopped before the call certainly did nothing", async () => {
    const { tool, charges } = till("irreversible", () => undefined);
    let stopFirst: (() => void) | undefined;
    const { create, run, executor, store } = await open({
      tools: [tool],
      failPoint: (name) => {
        if (name !== "before-effect") return;
        stopFirst?.();
        stopFirst = undefined;
      },
    });
    const ref = await create(planSpec.parse(plan));
    stopFirst = () => executor.stopTask({ taskId: ref.taskId, reason: "pause" });
    expect((await run(ref)).state).toBe("completed");
    expect(charges.map(({ attemptNo }) => attemptNo)).toEqual([2]);
    expect(await store.listEffects(ref, { limit: 10 })).toMatchObject([{ state: "succeeded", attemptNo: 2 }]);
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
