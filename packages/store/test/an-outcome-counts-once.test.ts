import type { Outcome } from "@baton/core/ports";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Bench,
  claim,
  completed,
  createTask,
  newId,
  openBench,
  settlementOf,
  statesOf,
  step,
} from "./builders.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

const completedWire = (ref: { tenantId: string; taskId: string }, stepId: string, output: unknown) => ({
  n: ref.tenantId,
  t: ref.taskId,
  s: stepId,
  a: 1,
  outcome: "completed",
  output,
  bytes: 11,
  dead: [],
  usage: { model: { provider: "p", model: "m" }, inputTokens: 7, outputTokens: 5, costUsd: 0.5, offline: false },
  traces: [],
  cont: true,
});

describe("an attempt that is told in one flush", () => {
  it("beside one that knows nothing of their task: what continues knows it", async () => {
    const { store } = bench;
    const [a, b, c] = [newId(), newId(), newId()];
    const ref = await createTask(store, [step("a", a), step("b", b), step("c", c, [a])]);
    const first = await claim(store, ref, a);
    const second = await claim(store, ref, b);
    const [answer] = await Promise.all([
      store.settleAttempt({ ...settlementOf(first, completed(1), true), task: first.task }),
      store.settleAttempt(settlementOf(second, completed(2))),
    ]);
    expect(answer.continuation?.ref.stepId).toBe(c);
    expect(answer.continuation?.task).toEqual(first.task);
  });
});

describe("an attempt that is told twice", () => {
  it("in one call of the verb counts once: counters, tokens, edges, traces and the next step; the first wins", async () => {
    const { store, admin, session } = bench;
    const [a, b, c] = [newId(), newId(), newId()];
    const ref = await createTask(store, [step("a", a), step("b", b), step("c", c, [a, b])]);
    for (const id of [a, b]) await claim(store, ref, id);
    const told = [
      completedWire(ref, a, "first"),
      completedWire(ref, b, "b"),
      completedWire(ref, a, "second"),
      { ...completedWire(ref, a, "third"), outcome: "exhausted", error: { code: "tool-failed" } },
    ];
    const { rows } = await admin.query<{ reply: { answers: unknown[]; continued: { s: string }[] } }>(
      "select baton_v1.settle($1, null, $2, $3, 100, true) as reply",
      [JSON.stringify(told), session.sessionId, newId()],
    );
    expect(rows[0]?.reply.answers).toHaveLength(2);
    expect(rows[0]?.reply.continued).toMatchObject([{ s: c }]);
    expect(await statesOf(store, ref)).toEqual({ a: "completed", b: "completed", c: "running" });
    const task = await store.getTask(ref);
    expect(task).toMatchObject({ settledSteps: 2, inputTokens: 14, outputTokens: 10 });
    const traces = await store.listTaskTraces(ref, { limit: 100 });
    expect(traces.filter(({ type }) => type === "step-completed")).toHaveLength(2);
    expect(traces.map(({ no }) => no)).toEqual(traces.map((_, index) => index + 1));
    expect(task?.traceNo).toBe(traces.length);
    const outputs = await store.settledOutputs(ref);
    expect(outputs.find(({ key }) => key === "a")?.output).toBe("first");
    await store.cancelTask(ref, {});
  });

  it("in one flush of the store is settled once; the second caller hears lease-lost", async () => {
    const { store } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    const claimed = await claim(store, ref, a);
    const answers = await Promise.all([1, 2].map((n) => store.settleAttempt(settlementOf(claimed, completed(n)))));
    expect(answers).toEqual([{ status: "settled" }, { status: "lease-lost" }]);
    expect(await store.settledOutputs(ref)).toMatchObject([{ output: 1 }]);
  });
});

describe("an outcome that would wait for nothing", () => {
  const cases: readonly (readonly [Outcome, RegExp])[] = [
    [{ outcome: "expanded", items: [], concurrency: 3 }, /"expanded".*no items/],
    [{ outcome: "deferred", adds: [] }, /"deferred".*no adds/],
  ];
  it.each(cases)("%j is refused before anything is written, and the attempt goes on", async (outcome, message) => {
    const { store, database } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    const claimed = await claim(store, ref, a);
    const before = await database.rowCounts();
    const settling = store.settleAttempt(settlementOf(claimed, outcome));
    await expect(settling).rejects.toMatchObject({ code: "invalid-request", message: expect.stringMatching(message) });
    expect(await database.rowCounts()).toEqual(before);
    expect(await statesOf(store, ref)).toEqual({ a: "running" });
    expect(await store.settleAttempt(settlementOf(claimed, completed()))).toEqual({ status: "settled" });
  });
});

describe("an output", () => {
  it("above 64 KB is kept by reference and read back; above 32 MB it is refused", async () => {
    const { store } = bench;
    const [a, b] = [newId(), newId()];
    const ref = await createTask(store, [step("a", a), step("b", b, [a])]);
    const large = "x".repeat(70_000);
    const claimed = await claim(store, ref, a);
    const tooLarge: Outcome = { outcome: "completed", outputJson: `"${"x".repeat(33_554_432)}"`, deadEdges: [] };
    await expect(store.settleAttempt(settlementOf(claimed, tooLarge))).rejects.toMatchObject({
      code: "payload-too-large",
    });
    await store.settleAttempt(settlementOf(claimed, completed(large)));
    const { inputs } = await claim(store, ref, b);
    expect(inputs).toMatchObject([{ key: "a", sizeBytes: 70_002 }]);
    expect(inputs[0]?.output).toBeUndefined();
    expect(await store.readOutput(ref, inputs[0]?.blobId as string)).toBe(large);
    await expect(store.readOutput(ref, newId())).rejects.toMatchObject({ code: "not-found" });
    await store.cancelTask(ref, {});
  });

  it("of many dependencies that together pass 4 MB reaches the step all the same", async () => {
    const { store } = bench;
    const sources = Array.from({ length: 70 }, newId);
    const joined = newId();
    const ref = await createTask(store, [
      ...sources.map((id, index) => step(`s${index}`, id)),
      step("joined", joined, sources),
    ]);
    const outputOf = (index: number): string => String(index).padStart(63_000, "x");
    const claims = await Promise.all(sources.map((id) => claim(store, ref, id)));
    await Promise.all(claims.map((each, index) => store.settleAttempt(settlementOf(each, completed(outputOf(index))))));
    const { inputs } = await claim(store, ref, joined);
    expect(inputs.map(({ output }) => output)).toEqual(sources.map((_, index) => outputOf(index)));
    await store.cancelTask(ref, {});
  });
});

describe("a store without a session", () => {
  it("claims nothing and says why", async () => {
    const a = newId();
    const other = await bench.open();
    await other.session.close();
    const ref = await createTask(bench.store, [step("a", a)]);
    await expect(claim(other.store, ref, a)).rejects.toMatchObject({
      code: "internal",
      message: expect.stringContaining("open one first"),
    });
    await bench.store.cancelTask(ref, {});
  });
});
