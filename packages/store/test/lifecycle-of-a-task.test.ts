import type { ClaimedStep, Settlement, WakeUp } from "@baton/core/ports";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Bench,
  claim,
  completed,
  createTask,
  failure,
  newId,
  openBench,
  settlementOf,
  statesOf,
  step,
  wakeUpOf,
} from "./builders.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

describe("a chain", () => {
  it("is claimed through the queue, continued by the settle, and completed at the end", async () => {
    const { store, sent } = bench;
    const [a, b, c] = [newId(), newId(), newId()];
    sent.length = 0;
    const ref = await createTask(store, [step("a", a), step("b", b, [a]), step("c", c, [b])]);
    expect((await store.getTask(ref))?.state).toBe("pending");
    expect(sent.map((wakeUp) => wakeUp.stepId)).toEqual([a]);

    let current = await store.claimStep(sent[0] as WakeUp);
    expect(current).toMatchObject({ key: "a", attemptNo: 1, continued: false });
    expect((await store.getTask(ref))?.state).toBe("running");
    expect(await store.claimStep(sent[0] as WakeUp)).toBeUndefined();

    for (const next of ["b", "c"]) {
      const answer = await store.settleAttempt(settlementOf(current as ClaimedStep, completed(), true));
      expect(answer).toMatchObject({ status: "settled", continuation: { key: next, continued: true, attemptNo: 1 } });
      current = answer.continuation;
    }
    expect(current?.inputs).toMatchObject([{ key: "b", output: { ok: true } }]);
    expect(await store.settleAttempt(settlementOf(current as ClaimedStep, completed(), true))).toEqual({
      status: "settled",
    });
    expect(await store.getTask(ref)).toMatchObject({ state: "completed", totalSteps: 3, settledSteps: 3 });

    const traces = await store.listTaskTraces(ref, { limit: 100 });
    expect(traces.map((trace) => trace.no)).toEqual(traces.map((_, index) => index + 1));
    expect(traces.map((trace) => trace.type)).toEqual([
      "task-created",
      "steps-added",
      "step-started",
      "task-state-changed",
      "step-completed",
      "step-started",
      "step-completed",
      "step-started",
      "step-completed",
      "task-state-changed",
    ]);
  });
});

describe("a diamond", () => {
  it("readies the join only when every branch is completed", async () => {
    const { store, sent } = bench;
    const [a, b, c, d] = [newId(), newId(), newId(), newId()];
    const ref = await createTask(store, [step("a", a), step("b", b, [a]), step("c", c, [a]), step("d", d, [b, c])]);
    sent.length = 0;
    await store.settleAttempt(settlementOf(await claim(store, ref, a), completed()));
    expect(sent.map((each) => each.stepId).sort()).toEqual([b, c].sort());
    await store.settleAttempt(settlementOf(await claim(store, ref, b), completed()));
    expect(await statesOf(store, ref)).toMatchObject({ d: "pending" });
    await store.settleAttempt(settlementOf(await claim(store, ref, c), completed()));
    expect(await statesOf(store, ref)).toMatchObject({ d: "ready" });
  });

  it("skips a branch whose condition is false, and what follows it, and still joins `any`", async () => {
    const { store } = bench;
    const [a, b, c, d, e] = [newId(), newId(), newId(), newId(), newId()];
    const ref = await createTask(store, [
      step("a", a),
      step("b", b, [], { dependsOn: [{ fromStepId: a, when: { $cel: "false" } }] }),
      step("c", c, [a]),
      step("d", d, [b]),
      step("e", e, [c, d], { join: 1 }),
    ]);
    const claimed = await claim(store, ref, a);
    expect(claimed.conditions).toEqual([{ toStepId: b, when: { $cel: "false" } }]);
    await store.settleAttempt(settlementOf(claimed, completed({}, { deadEdges: [b] })));
    expect(await statesOf(store, ref)).toEqual({
      a: "completed",
      b: "skipped",
      c: "ready",
      d: "skipped",
      e: "pending",
    });
    await store.settleAttempt(settlementOf(await claim(store, ref, c), completed()));
    await store.settleAttempt(settlementOf(await claim(store, ref, e), completed()));
    expect(await store.getTask(ref)).toMatchObject({ state: "completed", totalSteps: 5, settledSteps: 5 });
  });

  it("skips a join for which too few branches are left", async () => {
    const { store } = bench;
    const [a, b, c, d] = [newId(), newId(), newId(), newId()];
    const ref = await createTask(store, [
      step("a", a),
      step("b", b, [], { dependsOn: [{ fromStepId: a, when: { $cel: "false" } }] }),
      step("c", c, [a]),
      step("d", d, [b, c], { join: 2 }),
    ]);
    await store.settleAttempt(settlementOf(await claim(store, ref, a), completed({}, { deadEdges: [b] })));
    expect(await statesOf(store, ref)).toMatchObject({ b: "skipped", d: "skipped" });
  });
});

describe("a failure", () => {
  it("is retried later under a higher attempt number, in the state retrying, with one row", async () => {
    const { store, admin } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    const first = await claim(store, ref, a);
    await store.settleAttempt(settlementOf(first, { outcome: "retry-later", error: failure, delayMs: 3_600_000 }));
    expect(await store.getTask(ref)).toMatchObject({ state: "retrying" });
    expect(await store.claimStep(wakeUpOf(ref, a))).toBeUndefined();
    expect(await store.whyTask(ref)).toMatchObject([{ on: "backoff", stepKey: "a" }]);
    await admin.query("update baton.task_execution_step set available_at = baton.clock() where task_id = $1", [
      ref.taskId,
    ]);
    expect(await store.dispatchSteps({ pool: "default", room: 10, queueWaiting: 0 })).toMatchObject([{ stepId: a }]);
    const second = await claim(store, ref, a);
    expect(second).toMatchObject({ attemptNo: 2, failureCount: 1 });
    // The first attempt is a zombie now.
    expect(await store.settleAttempt(settlementOf(first, completed()))).toEqual({ status: "lease-lost" });
    await store.settleAttempt(settlementOf(second, completed()));
    expect(await store.getTask(ref)).toMatchObject({ state: "completed" });
    expect(await store.listTaskSteps(ref, { limit: 10 })).toHaveLength(1);
  });

  it("out of attempts rests the task in failed: never completed, siblings keep their work, a retry goes on from there", async () => {
    const { store } = bench;
    const [a, b, c] = [newId(), newId(), newId()];
    const ref = await createTask(store, [step("a", a), step("b", b), step("c", c, [a, b])]);
    const [first, sibling] = [await claim(store, ref, a), await claim(store, ref, b)];
    await store.settleAttempt(settlementOf(first, { outcome: "exhausted", error: failure }));
    expect(await store.getTask(ref)).toMatchObject({ state: "failed", failedSteps: 1, lastError: failure });
    await store.settleAttempt(settlementOf(sibling, completed()));
    expect(await store.getTask(ref)).toMatchObject({ state: "failed" });
    expect(await store.whyTask(ref)).toMatchObject([
      { on: "dead-letter", stepKey: "a" },
      { on: "dependency", stepKey: "c" },
    ]);

    expect(await store.retryTask(ref, "me")).toEqual({ answer: "changed", state: "running" });
    const again = await claim(store, ref, a);
    expect(again.attemptNo).toBe(2);
    await store.settleAttempt(settlementOf(again, completed()));
    await store.settleAttempt(settlementOf(await claim(store, ref, c), completed()));
    expect(await store.getTask(ref)).toMatchObject({ state: "completed" });
  });

  it("under the policy hold blocks the task until a person decides", async () => {
    const { store } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a, [], { onExhausted: "hold" })]);
    await store.settleAttempt(settlementOf(await claim(store, ref, a), { outcome: "exhausted", error: failure }));
    expect(await store.getTask(ref)).toMatchObject({ state: "blocked" });
    expect(await store.whyTask(ref)).toMatchObject([{ on: "person" }]);
  });
});

describe("cancel", () => {
  it("ends every open step at once, and a last attempt in flight cannot complete the task", async () => {
    const { store } = bench;
    const [a, b] = [newId(), newId()];
    const ref = await createTask(store, [step("a", a), step("b", b, [a])]);
    const claimed = await claim(store, ref, a);
    expect(await store.cancelTask(ref, { by: "me", reason: "no longer needed" })).toEqual({
      answer: "changed",
      state: "cancelled",
    });
    expect(await statesOf(store, ref)).toEqual({ a: "cancelled", b: "cancelled" });
    expect(await store.settleAttempt(settlementOf(claimed, completed()))).toEqual({ status: "lease-lost" });
    expect(await store.getTask(ref)).toMatchObject({ state: "cancelled" });
    expect(await store.cancelTask(ref, {})).toEqual({ answer: "unchanged", state: "cancelled" });
    expect(await store.whyTask(ref)).toEqual([]);
  });

  it("ends a task that rests in failed, and is refused for a completed one", async () => {
    const { store } = bench;
    const [a, b] = [newId(), newId()];
    const failed = await createTask(store, [step("a", a)]);
    await store.settleAttempt(settlementOf(await claim(store, failed, a), { outcome: "exhausted", error: failure }));
    expect(await store.cancelTask(failed, {})).toMatchObject({ state: "cancelled" });
    const done = await createTask(store, [step("b", b)]);
    await store.settleAttempt(settlementOf(await claim(store, done, b), completed()));
    expect(await store.cancelTask(done, {})).toEqual({ answer: "illegal", state: "completed" });
  });
});

describe("pause", () => {
  it("keeps everything from starting until the task is resumed", async () => {
    const { store } = bench;
    const [a, b] = [newId(), newId()];
    const ref = await createTask(store, [step("a", a), step("b", b, [a])]);
    const claimed = await claim(store, ref, a);
    expect(await store.pauseTask(ref)).toMatchObject({ state: "paused" });
    await store.settleAttempt(settlementOf(claimed, { outcome: "released", reason: "paused" }));
    expect(await store.claimStep(wakeUpOf(ref, a))).toBeUndefined();
    expect(await store.dispatchSteps({ pool: "default", room: 10, queueWaiting: 0 })).toEqual([]);
    expect(await store.whyTask(ref)).toMatchObject([
      { on: "intent" },
      { on: "intent", stepKey: "a" },
      { on: "dependency", stepKey: "b" },
    ]);
    expect(await store.resumeTask(ref)).toMatchObject({ answer: "changed", state: "running" });
    const again = await claim(store, ref, a);
    expect(again).toMatchObject({ attemptNo: 2, failureCount: 0, crashCount: 0 });
  });
});

describe("a map", () => {
  it("runs at most its concurrency of items at once and joins their outputs in order", async () => {
    const { store } = bench;
    const [a, b] = [newId(), newId()];
    const ref = await createTask(store, [step("map", a, [], { type: "map" }), step("after", b, [a])]);
    const ids = Array.from({ length: 5 }, newId);
    const items = ids.map((id, index) =>
      step(`map[${index}]`, id, [], { item: { parentStepId: a, index, value: { n: index } } }),
    );
    await store.settleAttempt(settlementOf(await claim(store, ref, a), { outcome: "expanded", items, concurrency: 2 }));
    for (let index = 0; index < 5; index++) {
      const states = await statesOf(store, ref);
      expect(Object.values(states).filter((state) => state === "ready")).toHaveLength(Math.min(2, 5 - index));
      const claimed = await claim(store, ref, ids[index] as string);
      expect(claimed.item).toEqual({ index, value: { n: index } });
      await store.settleAttempt(settlementOf(claimed, completed({ square: index * index })));
    }
    const joining = await claim(store, ref, a);
    expect(joining).toMatchObject({ joining: true, attemptNo: 2 });
    const outputs: unknown[] = [];
    for await (const each of store.itemOutputs(joining.ref)) outputs.push(each.output);
    expect(outputs).toEqual([0, 1, 4, 9, 16].map((square) => ({ square })));
    await store.settleAttempt(settlementOf(joining, completed(outputs)));
    await store.settleAttempt(settlementOf(await claim(store, ref, b), completed()));
    expect(await store.getTask(ref)).toMatchObject({ state: "completed", totalSteps: 7, settledSteps: 7 });
  });
});

describe("a deferred step", () => {
  it("waits for the step it added and sees its output", async () => {
    const { store } = bench;
    const [a, b, s] = [newId(), newId(), newId()];
    const ref = await createTask(store, [step("a", a), step("b", b, [a])]);
    await store.settleAttempt(settlementOf(await claim(store, ref, a), completed({ long: "text" })));
    await store.settleAttempt(
      settlementOf(await claim(store, ref, b), {
        outcome: "deferred",
        adds: [step("b/summary", s, [a], { kind: "summary", type: "summarization" })],
      }),
    );
    expect(await statesOf(store, ref)).toMatchObject({ b: "pending", "b/summary": "ready" });
    await store.settleAttempt(settlementOf(await claim(store, ref, s), completed({ text: "short" })));
    const again = await claim(store, ref, b);
    expect(again.inputs.map((input) => input.key)).toEqual(["a", "b/summary"]);
    await store.settleAttempt(settlementOf(again, completed()));
    expect(await store.getTask(ref)).toMatchObject({ state: "completed", totalSteps: 2, settledSteps: 2 });
  });
});

describe("a goal", () => {
  it("is planned by a step, evaluated when its steps are settled, revised, and then completed", async () => {
    const { store } = bench;
    const [plan, a, b] = [newId(), newId(), newId()];
    const system = { kind: "plan", type: "plan", pool: "default" } as const;
    const ref = await createTask(store, [step("plan", plan, [], system)], { kind: "goal" });
    expect(await store.getTask(ref)).toMatchObject({ state: "planning", totalSteps: 0 });
    await store.settleAttempt(
      settlementOf(await claim(store, ref, plan), completed({}, { adds: [step("a", a)], estimatedDurationMs: 5 })),
    );
    expect(await store.getTask(ref)).toMatchObject({ state: "pending", totalSteps: 1, estimatedDurationMs: 5 });
    await store.settleAttempt(settlementOf(await claim(store, ref, a), completed()));
    expect(await store.getTask(ref)).toMatchObject({ state: "evaluating" });
    const evaluation = async () => {
      const steps = await store.listTaskSteps(ref, { kinds: ["evaluate"], limit: 10 });
      return steps.find((each) => each.state === "ready")?.stepId as string;
    };
    await store.settleAttempt(
      settlementOf(
        await claim(store, ref, await evaluation()),
        completed({ verdict: "revise" }, { adds: [step("b", b, [a])] }),
      ),
    );
    expect(await store.getTask(ref)).toMatchObject({ state: "running", totalSteps: 2, revisionCount: 1 });
    await store.settleAttempt(settlementOf(await claim(store, ref, b), completed()));
    await store.settleAttempt(
      settlementOf(await claim(store, ref, await evaluation()), completed({ verdict: "done" })),
    );
    expect(await store.getTask(ref)).toMatchObject({ state: "completed", totalSteps: 2, settledSteps: 2 });
  });
});

describe("a batch of settlements", () => {
  it("loses only the one that PostgreSQL refuses", async () => {
    const { store } = bench;
    const ids = Array.from({ length: 8 }, newId);
    const ref = await createTask(
      store,
      ids.map((id, index) => step(`s${index}`, id)),
    );
    const claims = await Promise.all(ids.map((id) => claim(store, ref, id)));
    const bad: Settlement = {
      ...settlementOf(claims[3] as ClaimedStep, completed()),
      traces: [{ type: "note", data: { message: "a\u0000b" } }],
    };
    const answers = await Promise.allSettled(
      claims.map((each, index) => store.settleAttempt(index === 3 ? bad : settlementOf(each, completed()))),
    );
    expect(answers.map((answer) => answer.status)).toEqual(
      ids.map((_, index) => (index === 3 ? "rejected" : "fulfilled")),
    );
    expect(Object.values(await statesOf(store, ref)).filter((state) => state === "completed")).toHaveLength(7);
  });

  it("keeps an output whose preview ends within a character", async () => {
    const a = newId();
    const task = await createTask(bench.store, [step("a", a)]);
    const output = `${"x".repeat(498)}😀 and more`;
    const attempt = await claim(bench.store, task, a);
    expect(await bench.store.settleAttempt(settlementOf(attempt, completed(output)))).toEqual({ status: "settled" });
    expect((await bench.store.listTaskSteps(task, { limit: 1 }))[0]?.output).toBe(output);
  });

  it("keeps large outputs by reference and hands them to successors", async () => {
    const { store } = bench;
    const [a, b] = [newId(), newId()];
    const ref = await createTask(store, [step("a", a), step("b", b, [a])]);
    const large = { text: "x".repeat(200_000) };
    await store.settleAttempt(settlementOf(await claim(store, ref, a), completed(large)));
    const claimed = await claim(store, ref, b);
    expect(claimed.inputs[0]).toMatchObject({ key: "a", sizeBytes: 200_011 });
    expect(await store.readOutput(ref, claimed.inputs[0]?.blobId as string)).toEqual(large);
  });
});

describe("a checkpoint", () => {
  it("is saved after every checkpointInterval settled steps, and restores to an equal context", async () => {
    const { store } = bench;
    const ids = Array.from({ length: 5 }, newId);
    const ref = await createTask(
      store,
      ids.map((id, index) => step(`s${index}`, id)),
      { settings: { checkpointInterval: 2 } },
    );
    const contexts: unknown[] = [];
    for (const id of ids) {
      await store.settleAttempt(settlementOf(await claim(store, ref, id), completed({ id })));
      contexts.push(await store.settledOutputs(ref));
    }
    const checkpoints = await store.listCheckpoints(ref);
    expect(checkpoints.map((each) => each.stepCount)).toEqual([2, 4]);
    expect(await store.checkpointContext(ref, checkpoints[0]?.checkpointId as string)).toEqual(contexts[1]);
    expect(await store.checkpointContext(ref, checkpoints[1]?.checkpointId as string)).toEqual(contexts[3]);
  });
});
