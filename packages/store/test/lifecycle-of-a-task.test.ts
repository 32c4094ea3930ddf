import { randomBytes } from "node:crypto";
import { defaultTenantId, uuidv7 } from "@baton/core";
import type { ClaimedStep, NewStep, Outcome, Settlement, WakeUp } from "@baton/core/ports";
import { taskSettings } from "@baton/core/task";
import { openStore, type Store } from "@baton/store";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

const newId = () => uuidv7(Date.now(), randomBytes(10));
let database: TestDatabase;
let store: Store;
const sent: WakeUp[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
  store = await openStore({
    url: database.url,
    applicationName: "test",
    newId,
    onError: (error) => {
      throw error;
    },
    onWakeUps: (byPool) => {
      for (const list of byPool.values()) sent.push(...list);
    },
  });
  await store.openSession({
    pools: ["default"],
    slots: 10,
    tools: [],
    version: "test",
    role: "worker",
    beatMs: 1_000,
    leaseMs: 3_000,
  });
});
afterAll(async () => {
  await store?.close();
  await database?.drop();
});

export function step(key: string, stepId: string, after: readonly string[] = []): NewStep {
  return {
    stepId,
    key,
    kind: "user",
    type: "tool",
    description: key,
    config: { type: "tool", tool: "clock.now" },
    join: "all",
    dependsOn: after.map((fromStepId) => ({ fromStepId })),
    references: [],
    rank: 1,
    pool: "default",
    timeoutMs: 1_000,
    retry: {},
    onExhausted: "fail",
  };
}

const settlement = (claimed: ClaimedStep, outcome: Outcome, mayContinue = true): Settlement => ({
  ref: claimed.ref,
  attemptNo: claimed.attemptNo,
  outcome,
  traces: [],
  mayContinue,
});
const completed: Outcome = { outcome: "completed", outputJson: '{"ok":true}', deadEdges: [] };

describe("a task in the store", () => {
  it("runs a chain: claimed through the queue, continued by the settle, completed at the end", async () => {
    const taskId = newId();
    const [a, b, c] = [newId(), newId(), newId()];
    const ref = { tenantId: defaultTenantId, taskId };
    sent.length = 0;
    await store.createTask({
      ...ref,
      kind: "plan",
      goal: "three steps",
      input: null,
      settings: taskSettings.parse({}),
      steps: [step("a", a), step("b", b, [a]), step("c", c, [b])],
      traces: [],
    });
    expect((await store.getTask(ref))?.state).toBe("pending");
    expect(sent.map((wakeUp) => wakeUp.stepId)).toEqual([a]);

    let current = await store.claimStep(sent[0] as WakeUp);
    expect(current).toMatchObject({ key: "a", attemptNo: 1, continued: false });
    expect((await store.getTask(ref))?.state).toBe("running");
    expect(await store.claimStep(sent[0] as WakeUp)).toBeUndefined();

    for (const next of ["b", "c"]) {
      const answer = await store.settleAttempt(settlement(current as ClaimedStep, completed));
      expect(answer).toMatchObject({ status: "settled", continuation: { key: next, continued: true, attemptNo: 1 } });
      current = answer.continuation;
    }
    expect(current?.inputs).toMatchObject([{ key: "b", output: { ok: true } }]);
    expect(await store.settleAttempt(settlement(current as ClaimedStep, completed))).toEqual({ status: "settled" });
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
