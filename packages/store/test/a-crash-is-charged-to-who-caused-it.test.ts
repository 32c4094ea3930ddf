import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, claim, createTask, failure, newId, openBench, settlementOf, step, wakeUpOf } from "./builders.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

/** Another worker claims the step and dies of something. */
async function dieWith(stepId: string): Promise<unknown> {
  const { admin, store } = bench;
  const sessionId = newId();
  await admin.query(
    `insert into baton.worker_session (tenant_id, session_id, role, worker, host, pid, version, pools, tools, slots, started_at, beat_at, expires_at)
     select tenant_id, $1, 'worker', 'other/1', 'other', 1, 'test', '{default}', '{}', 5, baton.clock(), baton.clock(), baton.clock() + interval '1 hour'
     from baton.tenant limit 1`,
    [sessionId],
  );
  await admin.query(
    `select baton_v1.claim((select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id))
                            from baton.task_execution_step where step_id = $1), $2, $3)`,
    [stepId, sessionId, newId()],
  );
  await admin.query(
    "update baton.worker_session set expires_at = baton.clock() - interval '1 second' where session_id = $1",
    [sessionId],
  );
  return await store.reapSessions();
}

async function stepOf(ref: { tenantId: string; taskId: string }) {
  const [row] = await bench.store.listTaskSteps(ref, { limit: 1 });
  if (row === undefined) throw new Error("The task has no step.");
  return row;
}

const killed = { name: "ProcessEnded", message: "Attempt 3, alone in process 7, was ended by SIGKILL." };

describe("a step", () => {
  it("whose workers die twice and that then ends its own process is a dead letter with the whole chain of causes", async () => {
    const { store } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    const failed = await claim(store, ref, a);
    await store.settleAttempt(settlementOf(failed, { outcome: "retry-later", error: failure, delayMs: 0 }));
    await dieWith(a);
    await dieWith(a);
    const claimed = await claim(store, ref, a);
    expect(claimed.crashCount).toBe(2);
    const crash = {
      ref: claimed.ref,
      attemptNo: claimed.attemptNo,
      cause: killed,
      traces: [{ type: "attempt-isolated", data: { pid: 7, crashCount: 2 } }],
    };
    expect(await store.crashAttempt(crash)).toEqual({ isCurrent: true, isDeadLetter: true });
    expect(await store.crashAttempt(crash)).toEqual({ isCurrent: false, isDeadLetter: false });
    expect(await stepOf(ref)).toMatchObject({
      state: "failed",
      crashCount: 3,
      failureCount: 1,
      error: {
        code: "worker-crash",
        message: "The step ended the process that performed it (crash 3).",
        causes: [
          killed,
          { name: "WorkerDied", message: "Attempt 3: worker other/1 stopped renewing its lease." },
          { name: "WorkerDied", message: "Attempt 2: worker other/1 stopped renewing its lease." },
          { code: "tool-failed", name: "BatonError", message: "it broke" },
        ],
      },
    });
    expect(await store.getTask(ref)).toMatchObject({ state: "failed", lastError: { code: "worker-crash" } });
    const traces = await store.listTaskTraces(ref, { limit: 100 });
    expect(traces.slice(-3).map(({ type }) => type)).toEqual(["attempt-isolated", "step-failed", "task-state-changed"]);
  });

  it("that ends its own process for the first time goes on, and what its superseded attempt tells later counts nothing", async () => {
    const { store } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    const first = await claim(store, ref, a);
    const crash = { ref: first.ref, attemptNo: first.attemptNo, cause: killed, traces: [] };
    expect(await store.crashAttempt(crash)).toEqual({ isCurrent: true, isDeadLetter: false });
    const second = await store.claimStep(wakeUpOf(ref, a));
    expect(second).toMatchObject({ attemptNo: 2, crashCount: 1, failureCount: 0 });
    expect(await store.crashAttempt(crash)).toEqual({ isCurrent: false, isDeadLetter: false });
    expect(await stepOf(ref)).toMatchObject({ state: "running", crashCount: 1 });
  });

  it("that only ever dies with its workers is a dead letter after ten of them, not after three", async () => {
    const a = newId();
    const ref = await createTask(bench.store, [step("a", a)]);
    for (let crash = 1; crash <= 9; crash++) expect(await dieWith(a)).toMatchObject({ steps: 1, deadLetters: 0 });
    expect(await dieWith(a)).toMatchObject({ steps: 1, deadLetters: 1 });
    expect((await stepOf(ref)).error?.causes).toHaveLength(10);
  });
});
