import { BatonError } from "@baton/core";
import { planSpec } from "@baton/core/plan";
import type { Settlement } from "@baton/core/ports";
import { defineTool } from "@baton/tools";
import { afterEach, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { createLateCalls } from "../src/index.ts";
import { openBench } from "./bench.ts";
import type { Bench, BenchOptions } from "./bench.ts";
import { silent } from "./step.ts";

let bench: Bench | undefined;
const open = async (options: Omit<BenchOptions, "postgresUrl"> = {}) => {
  bench = await openBench({ postgresUrl: inject("postgresUrl"), ...options });
  return bench;
};
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const echo = defineTool({
  name: "echo",
  description: "Gives back what it is given",
  input: z.object({ value: z.unknown() }),
  output: z.unknown(),
  effect: "write",
  execute: ({ value }) => value,
});
const plan = planSpec.parse({ steps: [{ id: "a", type: "tool", tool: "echo", arguments: { value: 1 } }] });
const away = () => new BatonError("store-unavailable", "PostgreSQL is away");

describe("while the store is away", () => {
  test("claim, effect and settlement are asked for again, and the answer of a settlement that was lost is the same", async () => {
    const failing = { claim: 2, start: 2, finish: 2, settle: 2 };
    const { create, run, steps, recorded } = await open({
      tools: [echo],
      around: (store) => ({
        claimStep: (wakeUp) => (failing.claim-- > 0 ? Promise.reject(away()) : store.claimStep(wakeUp)),
        finishEffect: (...call) => (failing.finish-- > 0 ? Promise.reject(away()) : store.finishEffect(...call)),
        startEffect: (intent) => (failing.start-- > 0 ? Promise.reject(away()) : store.startEffect(intent)),
        async settleAttempt(settlement) {
          // The commit happens, its reply does not come.
          const answer = await store.settleAttempt(settlement);
          if (failing.settle-- > 0) throw away();
          return answer;
        },
      }),
    });
    const ref = await create(plan);
    expect((await run(ref)).state).toBe("completed");
    expect((await steps(ref)).get("a")).toMatchObject({ attemptNo: 1, failureCount: 0, output: 1 });
    expect(failing.settle).toBeLessThan(0);
    expect(recorded.filter(({ name }) => name === "baton_wake_ups_failed_total")).toEqual([]);
  });

  test("any other failure of a claim is reported, and the wake-up given up", async () => {
    const { create, executor, takeWakeUps, logged } = await open({
      around: () => ({ claimStep: () => Promise.reject(new Error("a defect")) }),
    });
    await create(plan);
    for (const wakeUp of await takeWakeUps()) await executor.performWakeUp(wakeUp);
    expect(logged.map(({ event }) => event)).toContain("wake-up-failed");
  });

  test("an outcome that the store refuses becomes a dead letter that says so", async () => {
    const settlements: Settlement[] = [];
    const { create, run, steps } = await open({
      tools: [echo],
      around: (store) => ({
        settleAttempt(settlement) {
          settlements.push(settlement);
          return settlements.length === 1
            ? Promise.reject(new BatonError("invalid-request", "22P05"))
            : store.settleAttempt(settlement);
        },
      }),
    });
    const ref = await create(plan);
    expect((await run(ref)).state).toBe("failed");
    expect((await steps(ref)).get("a")?.error).toMatchObject({
      code: "internal",
      message: expect.stringContaining("refused"),
    });
  });
});

describe("when the session is lost", () => {
  test("every attempt is aborted and nothing is settled", async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const hang = defineTool({
      ...echo,
      name: "hang",
      execute: (_input, { signal }) => {
        started.resolve(signal);
        return new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason as Error)),
        );
      },
    });
    const lost = new AbortController();
    const { create, takeWakeUps, executor, steps, recorded } = await open({ tools: [hang], lost: lost.signal });
    const ref = await create(
      planSpec.parse({ steps: [{ id: "a", type: "tool", tool: "hang", arguments: { value: 1 } }] }),
    );
    const [wakeUp] = await takeWakeUps();
    if (wakeUp === undefined) throw new Error("nothing was dispatched");
    const performing = executor.performWakeUp(wakeUp);
    const signal = await started.promise;
    lost.abort();
    await performing;
    expect(signal.reason).toMatchObject({ code: "lease-lost" });
    expect((await steps(ref)).get("a")).toMatchObject({ state: "running", attemptNo: 1 });
    expect(recorded.filter(({ name }) => name === "baton_settlements_total")).toEqual([]);
    await executor.performWakeUp(wakeUp);
    expect(executor.attempts()).toEqual([]);
  });
});

describe("a call that ends late", () => {
  const ref = { tenantId: "n", taskId: "t", stepId: "s" };
  const ledger = (fail = false) => {
    const written: unknown[] = [];
    const finishEffect = (...call: unknown[]) => {
      written.push(call);
      return fail ? Promise.reject(new Error("refused")) : Promise.resolve({ late: true });
    };
    return { written, late: createLateCalls({ finishEffect }, silent) };
  };
  const call = (idempotencyKey: string, attemptNo = 1) => ({ idempotencyKey, ref, callNo: 1, attemptNo });
  const ended = (idempotencyKey: string, attemptNo = 1) => ({ tool: "t", idempotencyKey, attemptNo });

  test("is recorded as the success or the refusal that it was", async () => {
    const { written, late } = ledger();
    late.expect(call("s-1", 1));
    late.expect(call("s-1", 2));
    await late.arrived({ ...ended("s-1", 2), error: new BatonError("address-refused", "no") });
    await late.arrived({ ...ended("s-1", 1), output: { ok: true } });
    expect(written).toEqual([
      [ref, { callNo: 1, attemptNo: 2, state: "refused", resultJson: '{"code":"address-refused","message":"no"}' }],
      [ref, { callNo: 1, attemptNo: 1, state: "succeeded", resultJson: '{"ok":true}' }],
    ]);
  });

  test("stays unknown when its end says nothing, when nobody expects it, or when it was forgotten", async () => {
    const { written, late } = ledger();
    late.expect(call("s-1"));
    await late.arrived({ ...ended("s-1"), error: new Error("reset") });
    await late.arrived({ ...ended("s-1"), output: 1 });
    late.expect(call("s-2"));
    late.forget("s-2", 1);
    await late.arrived({ ...ended("s-2"), output: 1 });
    expect(written).toEqual([]);
  });

  test("is written when the store is back", async () => {
    let away = 2;
    const written: unknown[] = [];
    const finishEffect = (...result: unknown[]) => {
      if (away-- > 0) return Promise.reject(new BatonError("store-unavailable", "PostgreSQL is away"));
      written.push(result);
      return Promise.resolve({ late: true });
    };
    const late = createLateCalls({ finishEffect }, silent);
    late.expect(call("s-1"));
    await late.arrived({ ...ended("s-1"), output: 1 });
    expect(written).toHaveLength(1);
  });

  test("makes room for newer ones, and never rejects", async () => {
    const { written, late } = ledger(true);
    for (let no = 0; no <= 1_000; no++) late.expect(call(`k-${no}`));
    await late.arrived({ ...ended("k-0"), output: 1 });
    expect(written).toEqual([]);
    await late.arrived({ ...ended("k-1"), output: 1 });
    expect(written).toHaveLength(1);
  });
});
