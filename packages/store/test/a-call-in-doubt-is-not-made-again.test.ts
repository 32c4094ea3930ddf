/**
 * Whatever attempts, crashes, late results and people do to one call: a success is never followed by a call, and a call
 * in doubt whose tool writes is made again only after a word that it did not take place.
 */
import { compareWithRows, reduce } from "@baton/core/events";
import type { ClaimedStep, EffectResult, EffectStart } from "@baton/core/ports";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, claim, completed, createTask, failure, newId, openBench, settlementOf, step } from "./builders.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

type Effect = "read" | "idempotent" | "write" | "irreversible";
const mayRepeat = (effect: Effect): boolean => effect === "read" || effect === "idempotent";
const unknown = { code: "effect-unknown", message: "?", causes: [] };

const operations = [
  ...["start", "start", "start", "start", "start", "start", "tell", "tell", "travel", "release", "release", "release"],
  ...["hold", "hold", "fail", "asked", "happened", "not-done", "retry", "pause", "resume"],
] as const;
type Operation =
  | "start"
  | "tell"
  | "travel"
  | "release"
  | "hold"
  | "fail"
  | "asked"
  | "happened"
  | "not-done"
  | "retry"
  | "pause"
  | "resume";

class Run {
  readonly effect: Effect;
  readonly stepId = newId();
  readonly task: { readonly tenantId: string; readonly taskId: string };
  readonly starts: EffectStart["start"][] = [];
  attempt: ClaimedStep | undefined;
  /** That made the call last; 0 = nobody has. */
  caller = 0;
  /** It is certain that the last call did nothing, or none was made. */
  isFree = true;
  hasSucceeded = false;

  constructor(effect: Effect, task: Run["task"]) {
    this.effect = effect;
    this.task = task;
  }

  get ref() {
    return { ...this.task, stepId: this.stepId };
  }

  async perform(operation: Operation, draw: (limit: number) => number): Promise<void> {
    const { store } = bench;
    switch (operation) {
      case "start":
      case "asked":
        this.attempt ??= await claim(store, this.task, this.stepId).catch(() => undefined);
        return this.attempt === undefined ? undefined : this.start(this.attempt, operation === "asked");
      case "tell":
        // Of any attempt there has been: a late one is told after its successor has begun.
        if (this.caller > 0) this.told(await this.tell(this.result(1 + draw(this.caller), draw)));
        return;
      case "travel":
        if (this.attempt === undefined) return;
        return this.settle({ outcome: "released", reason: "a test" }, [this.result(this.attempt.attemptNo, draw)]);
      case "release":
        return this.settle({ outcome: "released", reason: "a test" });
      case "hold":
        return this.settle({ outcome: "held", error: unknown });
      case "fail":
        return this.settle({ outcome: "exhausted", error: failure });
      case "happened":
      case "not-done":
        return this.resolve(operation, draw);
      case "retry":
        await store.retryTask(this.task);
        return;
      case "pause":
        await store.pauseTask(this.task);
        return;
      case "resume":
        await store.resumeTask(this.task);
    }
  }

  async start({ attemptNo, ref }: ClaimedStep, knownNotDone: boolean): Promise<void> {
    const { effect } = this;
    const call = { ref, attemptNo, callNo: 1, tool: "pay", effect, argumentsJson: "{}", knownNotDone };
    const { start } = await bench.store.startEffect(call);
    this.starts.push(start);
    if (this.hasSucceeded) expect(start).toBe("replay");
    else if (this.isFree || mayRepeat(effect) || knownNotDone || this.caller === attemptNo) expect(start).toBe("call");
    else expect(start).toBe("unknown");
    if (start !== "call") return;
    this.caller = attemptNo;
    this.isFree = false;
  }

  result(attemptNo: number, draw: (limit: number) => number): EffectResult {
    const state = (["succeeded", "refused", "unknown"] as const)[draw(3)] ?? "unknown";
    return { callNo: 1, attemptNo, state, resultJson: '"told"' };
  }

  async tell(result: EffectResult): Promise<EffectResult> {
    await bench.store.finishEffect(this.ref, result);
    return result;
  }

  told({ attemptNo, state }: EffectResult): void {
    if (this.caller === 0) return;
    if (state === "succeeded") this.hasSucceeded = true;
    if (state === "refused" && attemptNo === this.caller && !this.hasSucceeded) this.isFree = true;
  }

  async settle(outcome: Parameters<typeof settlementOf>[1], effects: readonly EffectResult[] = []): Promise<void> {
    const { attempt } = this;
    if (attempt === undefined) return;
    this.attempt = undefined;
    const answer = await bench.store.settleAttempt({ ...settlementOf(attempt, outcome), effects });
    expect(answer.status).toBe("settled");
    for (const result of effects) this.told(result);
  }

  async resolve(outcome: "happened" | "not-done", draw: (limit: number) => number): Promise<void> {
    const attemptNo = Math.max(1, this.caller - draw(2));
    const why = { attemptNo, reason: "a test" };
    const answer = await bench.store.resolveEffect(
      this.ref,
      1,
      outcome === "happened" ? { ...why, outcome: "succeeded", resultJson: '"said"' } : { ...why, outcome: "not-done" },
    );
    if (this.caller === 0) return expect(answer).toBeUndefined();
    if (answer?.answer !== "changed") return;
    expect([this.hasSucceeded, this.isFree, this.attempt, attemptNo]).toEqual([false, false, undefined, this.caller]);
    if (outcome === "happened") this.hasSucceeded = true;
    else this.isFree = true;
  }

  async check(): Promise<void> {
    const { store } = bench;
    const task = await store.getTask(this.task);
    const steps = await store.listTaskSteps(this.task, { limit: 10 });
    const traces = await store.listTaskTraces(this.task, { limit: 1_000 });
    if (task === undefined) throw new Error("the task is gone");
    expect(compareWithRows(reduce(traces), { task, steps })).toEqual([]);
    const [row] = steps;
    // An answer lets the step go on by itself.
    if (row?.state === "failed" && row.error?.code === "effect-unknown" && this.caller > 0) {
      expect([this.hasSucceeded, this.isFree]).toEqual([false, false]);
    }
    if (row?.state === "failed") expect(task.state).toBe(heldOrFailed(row.error?.code, task.intent));
  }
}

const heldOrFailed = (code: string | undefined, intent: string): string => {
  if (code !== "effect-unknown") return "failed";
  return intent === "pause" ? "paused" : "blocked";
};

describe("one call", () => {
  it("is made again only where that is allowed, whatever happens to it", async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Effect>("read", "idempotent", "write", "write", "irreversible"),
        fc.array(fc.tuple(fc.constantFrom<Operation>(...(operations as readonly Operation[])), fc.nat(1_000)), {
          minLength: 8,
          maxLength: 40,
        }),
        async (effect, sequence) => {
          const run = new Run(effect, { tenantId: "", taskId: "" });
          const task = await createTask(bench.store, [step("a", run.stepId)]);
          Object.assign(run, { task });
          for (const [operation, seed] of sequence) {
            await run.perform(operation, (limit) => seed % limit);
            await run.check();
          }
          for (const start of run.starts) seen.add(`${mayRepeat(effect) ? "repeats" : "writes"} ${start}`);
        },
      ),
      { numRuns: 80 },
    );
    // What never happened was not tested.
    expect([...seen]).toEqual(
      expect.arrayContaining(["writes call", "writes replay", "writes unknown", "repeats call", "repeats replay"]),
    );
  }, 300_000);
});

describe("a late result", () => {
  const inDoubt = async () => {
    const { store } = bench;
    const stepId = newId();
    const task = await createTask(store, [step("a", stepId)]);
    const first = await claim(store, task, stepId);
    const call = { ref: first.ref, attemptNo: 1, callNo: 1, tool: "pay", effect: "irreversible", argumentsJson: "{}" };
    await store.startEffect({ ...call, effect: "irreversible" });
    return { store, task, first, stepId };
  };
  const success = { callNo: 1, attemptNo: 1, state: "succeeded", resultJson: "null" } as const;

  it("that comes between the moment when an attempt missed it and its settle lets the step go on", async () => {
    const { store, task, first } = await inDoubt();
    await store.finishEffect(first.ref, success);
    await store.settleAttempt(settlementOf(first, { outcome: "held", error: unknown }));
    expect((await store.listTaskSteps(task, { limit: 1 }))[0]?.state).toBe("ready");
  });

  it("corrects a person who said that the call did not take place, before it is made again", async () => {
    const { store, task, first, stepId } = await inDoubt();
    await store.settleAttempt(settlementOf(first, { outcome: "held", error: unknown }));
    await store.resolveEffect(first.ref, 1, { outcome: "not-done", attemptNo: 1, reason: "nothing seen" });
    expect(await store.finishEffect(first.ref, success)).toEqual({ late: true });
    const second = await claim(store, task, stepId);
    const call = { ref: second.ref, attemptNo: 2, callNo: 1, tool: "pay", argumentsJson: "{}" };
    expect(await store.startEffect({ ...call, effect: "irreversible" })).toEqual({
      start: "replay",
      resultJson: "null",
    });
  });

  it("that is a refusal says nothing about the call that a later attempt has made", async () => {
    const { store, task, first, stepId } = await inDoubt();
    await store.settleAttempt(settlementOf(first, { outcome: "held", error: unknown }));
    await store.resolveEffect(first.ref, 1, { outcome: "not-done", attemptNo: 1, reason: "nothing seen" });
    const start = async ({ ref, attemptNo }: ClaimedStep) => {
      const call = { ref, attemptNo, callNo: 1, tool: "pay", argumentsJson: "{}" };
      return (await store.startEffect({ ...call, effect: "irreversible" })).start;
    };
    const second = await claim(store, task, stepId);
    expect(await start(second)).toBe("call");
    await store.finishEffect(first.ref, { callNo: 1, attemptNo: 1, state: "refused", resultJson: '{"code":"no"}' });
    await store.settleAttempt(settlementOf(second, { outcome: "released", reason: "test" }));
    expect(await start(await claim(store, task, stepId))).toBe("unknown");
  });

  it("leaves a step alone that ended otherwise meanwhile", async () => {
    const { store, task, first } = await inDoubt();
    await store.settleAttempt(settlementOf(first, { outcome: "held", error: unknown }));
    const word = { state: "skipped", attemptNo: 1, reason: "not needed" } as const;
    expect(await store.resolveStep(first.ref, word)).toMatchObject({ answer: "changed" });
    await store.finishEffect(first.ref, success);
    expect((await store.getTask(task))?.state).toBe("completed");
    expect(await store.listEffects(task, { limit: 1 })).toMatchObject([{ state: "succeeded", late: true }]);
  });

  it("travels with a settle that is refused, too", async () => {
    const { store, task, first, stepId } = await inDoubt();
    await store.settleAttempt(settlementOf(first, { outcome: "released", reason: "test" }));
    await claim(store, task, stepId);
    const late = { ...settlementOf(first, completed()), effects: [success] };
    expect(await store.settleAttempt(late)).toMatchObject({ status: "lease-lost" });
    expect(await store.listEffects(task, { limit: 1 })).toMatchObject([{ state: "succeeded", late: true }]);
  });
});
