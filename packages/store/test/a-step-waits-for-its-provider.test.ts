/** A step that was not let through to its provider gives its slot back, fails nothing, and says what it waits for. */
import { catalogue } from "@baton/core/events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Bench, claim, createTask, newId, openBench, settlementOf, step } from "./builders.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

it("is not dispatched before its time, counts no failure, and why and trace say which provider and why", async () => {
  const id = newId();
  const task = await createTask(bench.store, [step("think", id)]);
  const claimed = await claim(bench.store, task, id);
  const error = { code: "provider-open", message: "anthropic/sonnet is away: 529", causes: [] };
  const outcome = { outcome: "released", reason: "provider-open", delayMs: 60_000, error } as const;
  await bench.store.settleAttempt(settlementOf(claimed, outcome));

  expect(await bench.store.dispatchSteps({ pool: "default", room: 100, queueWaiting: 0 })).toEqual([]);
  const ref = { tenantId: task.tenantId, taskId: task.taskId };
  expect((await bench.store.getTask(ref))?.state).toBe("retrying");
  expect((await bench.store.listTaskSteps(ref, { limit: 1 }))[0]).toMatchObject({ state: "ready", failureCount: 0 });
  expect(await bench.store.whyTask(ref)).toMatchObject([
    { on: "provider", stepId: id, detail: "anthropic/sonnet is away: 529", movedBy: expect.stringMatching(/^time: /) },
  ]);
  const traces = await bench.store.listTaskTraces(ref, { limit: 50 });
  const released = traces.filter(({ type }) => type === "step-released");
  expect(released.map(({ data }) => data)).toEqual([{ reason: "provider-open", delayMs: 60_000, error }]);
  for (const { type, data } of released) expect(catalogue.safeParse({ type, data }).success).toBe(true);

  // When it is let through and its answer is there, nothing of the wait is left.
  await bench.admin.query("update baton.task_execution_step set available_at = baton.clock() where step_id = $1", [id]);
  expect(await bench.store.dispatchSteps({ pool: "default", room: 100, queueWaiting: 0 })).toHaveLength(1);
});
