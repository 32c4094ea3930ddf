import { defaultTenantId } from "@baton/core";
import type { ClaimedStep, NewChild, Outcome } from "@baton/core/ports";
import type { NewQuestion } from "@baton/core/questions";
import { taskSettings } from "@baton/core/task";
import type { Store } from "../src/index.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Bench,
  claim,
  completed,
  createTask,
  failure,
  newId,
  type OpenedStore,
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

const deadlocks = async (): Promise<number> => {
  const { rows } = await bench.admin.query<{ n: string }>(
    "select deadlocks::text as n from pg_stat_database where datname = current_database()",
  );
  return Number(rows[0]?.n);
};

const lossOf = async ({ session }: OpenedStore): Promise<void> => {
  if (session.lost.aborted) return;
  await new Promise<void>((resolve) => session.lost.addEventListener("abort", () => resolve(), { once: true }));
};

const asking = (callNo: number, expiresInMs?: number): NewQuestion => ({
  ...{ questionId: newId(), callNo, kind: "question", subject: { text: "Which?" }, approvers: [], quorum: 1 },
  ...(expiresInMs !== undefined && { expiresInMs }),
});

let childNo = 0;
const childOf = (): NewChild => {
  const place = { kind: "plan", goal: "help", input: null, settings: taskSettings.parse({}) } as const;
  const task = { ...place, steps: [step("agent", newId())] };
  return { childTaskId: newId(), callNo: 10 + childNo++, agent: "a", task };
};

describe("eight connections", () => {
  it("claim, call, settle, ask, answer, cancel, pause, dispatch, release and reap the same tasks without one deadlock, and every counter stays true", async () => {
    const stores: OpenedStore[] = [];
    for (let index = 0; index < 8; index++) stores.push(await bench.open());
    const tasks: { ref: { tenantId: string; taskId: string }; ids: string[] }[] = [];
    for (let t = 0; t < 12; t++) {
      const ids = Array.from({ length: 20 }, newId);
      // Five chains of four in each task, so that settles ready successors.
      const steps = ids.map((id, index) => step(`s${index}`, id, index % 4 === 0 ? [] : [ids[index - 1] as string]));
      tasks.push({ ref: await createTask(bench.store, steps), ids });
    }
    const outcomes: readonly (() => Outcome)[] = [
      () => ({ outcome: "retry-later", error: failure, delayMs: 0 }),
      () => ({ outcome: "asked", questions: [asking(1), asking(2, 1_000)] }),
      () => ({ outcome: "asked", questions: [], children: [childOf(), childOf()] }),
    ];
    const answerSome = async (store: Store, salt: number): Promise<void> => {
      const tenantId = defaultTenantId;
      const open = await store.listQuestions({ tenantId, state: "open", limit: 50 });
      await Promise.all(
        open
          .filter((_, index) => (index + salt) % 2 === 0)
          .map(({ questionId }) =>
            store.answerQuestion(tenantId, questionId, { act: "answer", answer: "a", by: "k", name: "k" }),
          ),
      );
    };
    const queue = tasks.flatMap(({ ref, ids }) => ids.map((id) => ({ ref, id })));
    const perform = async ({ store, session }: OpenedStore, salt: number): Promise<void> => {
      for (let round = 0; round < 12; round++) {
        const picked = queue.filter((_, index) => (index * 7 + round + salt) % 5 === 0);
        const claims = await Promise.all(picked.map(({ ref, id }) => store.claimStep(wakeUpOf(ref, id))));
        await Promise.all(
          claims.map(async (claimed, index) => {
            let current = claimed;
            while (current !== undefined) {
              const { ref, attemptNo } = current;
              if ((index + salt) % 3 === 0) {
                const call = { ref, attemptNo, callNo: 1, tool: "t", effect: "write", argumentsJson: "{}" } as const;
                await store.startEffect(call);
                await store.finishEffect(ref, { callNo: 1, attemptNo, state: "succeeded", resultJson: "1" });
              }
              const outcome = outcomes[(index + salt + round) % 9]?.() ?? completed();
              const answer = await store.settleAttempt(settlementOf(current, outcome, true));
              current = answer.continuation;
            }
          }),
        );
        const woken = await store.dispatchSteps({ pool: "default", room: 50, queueWaiting: 0 });
        await Promise.all(
          woken.map(async (wakeUp) => {
            const child = await store.claimStep(wakeUp);
            if (child !== undefined) await store.settleAttempt(settlementOf(child, completed()));
          }),
        );
        await store.relateTasks();
        await store.reapSessions();
        await store.expireQuestions();
        await answerSome(store, salt);
        await store.releaseOrphans(session.sessionId, [], 0);
        const { ref } = tasks[(round + salt) % tasks.length] as (typeof tasks)[number];
        if (round % 4 === 1) await store.pauseTask(ref);
        if (round % 4 === 2) await store.resumeTask(ref);
        if (round === 10 && salt === 0) await store.cancelTask(ref, {});
      }
    };
    await Promise.all(stores.map((opened, salt) => perform(opened, salt)));
    expect(await deadlocks()).toBe(0);

    const { rows } = await bench.admin.query(
      `select t.task_id from baton.task_execution t
       join lateral (
         select count(*) filter (where b = 'pending') as pending, count(*) filter (where b = 'ready') as ready,
                count(*) filter (where b = 'dispatched') as dispatched, count(*) filter (where b = 'backoff') as backoff,
                count(*) filter (where b = 'running') as running, count(*) filter (where b = 'completed') as completed,
                count(*) filter (where b = 'cancelled') as cancelled, count(*) filter (where b = 'waiting') as waiting
         from (select baton_v1.bucket(kind, state, dispatched_at is not null, backing_off, on_exhausted) as b
               from baton.task_execution_step s where s.task_id = t.task_id) s
       ) c on true
       where (t.pending_count, t.ready_count, t.dispatched_count, t.backoff_count, t.running_count, t.completed_count, t.cancelled_count, t.waiting_count)
          is distinct from (c.pending, c.ready, c.dispatched, c.backoff, c.running, c.completed, c.cancelled, c.waiting)`,
    );
    expect(rows).toEqual([]);
    const { rows: gaps } = await bench.admin.query(
      `select task_id from baton.task_execution_trace group by task_id having count(*) <> max(no) or min(no) <> 1
       union select t.task_id from baton.task_execution t where trace_no <> (select count(*) from baton.task_execution_trace x where x.task_id = t.task_id)`,
    );
    expect(gaps).toEqual([]);
    const { rows: twice } = await bench.admin.query(
      "select step_id from baton.task_execution_trace where type = 'step-completed' group by step_id having count(*) > 1",
    );
    expect(twice).toEqual([]);
    for (const { ref } of tasks) await bench.store.cancelTask(ref, {});
  });
});

describe("a flush whose reply was lost", () => {
  it("answers the same again: the claim its attempt, the settle already-settled with the same continuation", async () => {
    const { admin, session } = bench;
    const [a, b] = [newId(), newId()];
    const ref = await createTask(bench.store, [step("a", a), step("b", b, [a])]);
    const call = async (text: string, values: unknown[]): Promise<never> =>
      ((await admin.query<{ reply: never }>(text, values)).rows[0] as { reply: never }).reply;
    const refs = JSON.stringify([{ n: ref.tenantId, t: ref.taskId, s: a }]);
    const claimFlush = newId();
    const first = await call("select baton_v1.claim($1, $2, $3) as reply", [refs, session.sessionId, claimFlush]);
    expect(await call("select baton_v1.claim($1, $2, $3) as reply", [refs, session.sessionId, claimFlush])).toEqual(
      first,
    );
    expect(await call("select baton_v1.claim($1, $2, $3) as reply", [refs, session.sessionId, newId()])).toEqual([]);

    const outcome = JSON.stringify([
      {
        n: ref.tenantId,
        t: ref.taskId,
        s: a,
        a: 1,
        outcome: "completed",
        output: { ok: true },
        bytes: 11,
        dead: [],
        traces: [],
        cont: true,
      },
    ]);
    const settleFlush = newId();
    const settled: { answers: unknown; continued: { s: string; attemptNo: number }[] } = await call(
      "select baton_v1.settle($1, null, $2, $3, 100, true) as reply",
      [outcome, session.sessionId, settleFlush],
    );
    expect(settled.continued).toMatchObject([{ s: b, attemptNo: 1 }]);
    const repeated: typeof settled = await call("select baton_v1.settle($1, null, $2, $3, 100, true) as reply", [
      outcome,
      session.sessionId,
      settleFlush,
    ]);
    expect(repeated.answers).toEqual([{ s: a, a: 1, status: "already-settled" }]);
    expect(repeated.continued).toEqual(settled.continued);
    const other: typeof settled = await call("select baton_v1.settle($1, null, $2, $3, 100, true) as reply", [
      outcome,
      session.sessionId,
      newId(),
    ]);
    expect(other.answers).toEqual([{ s: a, a: 1, status: "lease-lost" }]);
    expect((await bench.store.getTask(ref))?.traceNo).toBe(
      (await bench.store.listTaskTraces(ref, { limit: 100 })).length,
    );
  });

  it("is retried by the store itself when its connection is cut at any moment", async () => {
    const { store, admin } = bench;
    const ids = Array.from({ length: 200 }, newId);
    const ref = await createTask(
      store,
      ids.map((id, index) => step(`s${index}`, id)),
    );
    // Each flush is cut once, at whatever moment it has reached by then; its retry goes through.
    const cutOnce = () =>
      admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test' and datname = current_database()",
      );
    for (let from = 0; from < ids.length; from += 10) {
      const claiming = Promise.all(ids.slice(from, from + 10).map((id) => store.claimStep(wakeUpOf(ref, id))));
      await cutOnce();
      const claims = await claiming;
      const settling = Promise.all(
        claims.map((each) => store.settleAttempt(settlementOf(each as ClaimedStep, completed()))),
      );
      await cutOnce();
      for (const answer of await settling) expect(["settled", "already-settled"]).toContain(answer.status);
    }
    expect(await store.getTask(ref)).toMatchObject({ state: "completed", settledSteps: 200 });
    const steps = await store.listTaskSteps(ref, { limit: 1_000 });
    expect(new Set(steps.map((each) => each.attemptNo))).toEqual(new Set([1]));
  });
});

describe("a dead session", () => {
  it("cannot claim or settle, and its steps go on under another one", async () => {
    const { admin, store } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    for (let crash = 1; crash <= 3; crash++) {
      const dying = await bench.open();
      const claimed = await claim(dying.store, ref, a);
      expect(claimed.crashCount).toBe(crash - 1);
      await admin.query(
        "update baton.worker_session set expires_at = baton.clock() - interval '1 second' where session_id = $1",
        [dying.session.sessionId],
      );
      expect(await store.reapSessions()).toMatchObject({ sessions: 1, steps: 1, deadLetters: 0 });
      expect(await dying.store.settleAttempt(settlementOf(claimed, completed()))).toEqual({ status: "lease-lost" });
      expect(await dying.store.claimStep(wakeUpOf(ref, a))).toBeUndefined();
      // A thread that learns of its end while a later test blocks this process would rightly kill it.
      await lossOf(dying);
    }
    expect((await store.listTaskSteps(ref, { limit: 1 }))[0]).toMatchObject({
      state: "ready",
      crashCount: 3,
      failureCount: 0,
      attemptNo: 3,
    });
    await store.cancelTask(ref, {});
  });

  it("learns of its end from the thread that renews the lease", async () => {
    const dying = await bench.open({ leaseMs: 3_000 });
    await bench.admin.query(
      "update baton.worker_session set ended_at = baton.clock(), end_reason = 'expired' where session_id = $1",
      [dying.session.sessionId],
    );
    await lossOf(dying);
    expect(dying.session.lost.reason).toMatchObject({ code: "lease-lost" });
  });

  it("is not died of by a main thread that is busy for longer than the lease", async () => {
    const busy = await bench.open({ leaseMs: 8_000 });
    const spin = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(spin, 0, 0, 9_500);
    expect(await bench.store.reapSessions()).toMatchObject({ sessions: 0 });
    expect(busy.session.lost.aborted).toBe(false);
  });
});

describe("a lost wake-up", () => {
  it("is dispatched again under a new number when the queue holds fewer than were dispatched, not before 5 s", async () => {
    const { store, sent, admin } = bench;
    const a = newId();
    sent.length = 0;
    const ref = await createTask(store, [step("a", a)]);
    expect(sent).toMatchObject([{ stepId: a, dispatchNo: 1 }]);
    expect(await store.dispatchSteps({ pool: "default", room: 10, queueWaiting: 0 })).toEqual([]);
    await admin.query(
      "update baton.task_execution_step set dispatched_at = baton.clock() - interval '6 seconds' where step_id = $1",
      [a],
    );
    expect(await store.dispatchSteps({ pool: "default", room: 10, queueWaiting: 1 })).toEqual([]);
    expect(await store.dispatchSteps({ pool: "default", room: 10, queueWaiting: 0 })).toMatchObject([
      { stepId: a, dispatchNo: 2 },
    ]);
    expect((await store.listTaskTraces(ref, { limit: 10 })).at(-1)).toMatchObject({
      type: "step-redispatched",
      data: { dispatchNo: 2 },
    });
    await store.settleAttempt(settlementOf(await claim(store, ref, a), completed()));
  });

  it("leaves steps beyond the task's own concurrency undispatched", async () => {
    const { store, sent } = bench;
    const ids = Array.from({ length: 5 }, newId);
    sent.length = 0;
    const ref = await createTask(
      store,
      ids.map((id, index) => step(`s${index}`, id)),
      { settings: { concurrency: 2 } },
    );
    expect(sent).toHaveLength(2);
    expect(await store.dispatchSteps({ pool: "default", room: 10, queueWaiting: 2 })).toEqual([]);
    const first = await claim(store, ref, sent[0]?.stepId as string);
    await store.settleAttempt(settlementOf(first, completed()));
    expect(await store.dispatchSteps({ pool: "default", room: 10, queueWaiting: 1 })).toHaveLength(1);
    expect(Object.values(await statesOf(store, ref)).filter((state) => state === "completed")).toHaveLength(1);
    await store.cancelTask(ref, {});
  });

  it("goes out in fair order: older tasks first, a priority counts as minutes of age, the longest path first within a task", async () => {
    const { store, admin } = bench;
    const pool = "fair";
    const make = async (priority: number, keys: readonly [string, number][]) =>
      createTask(
        store,
        keys.map(([key, rank]) => step(key, newId(), [], { pool, rank })),
        { settings: { priority } },
      );
    const older = await make(0, [
      ["older-short", 1],
      ["older-long", 9],
    ]);
    const urgent = await make(5, [["urgent", 1]]);
    await admin.query("update baton.task_execution_step set dispatched_at = null where pool = $1", [pool]);
    for (const ref of [older, urgent]) {
      await admin.query(
        "update baton.task_execution set ready_count = ready_count + dispatched_count, dispatched_count = 0 where task_id = $1",
        [ref.taskId],
      );
    }
    const order = [];
    for (let turn = 0; turn < 3; turn++)
      order.push((await store.dispatchSteps({ pool, room: 1, queueWaiting: 99 }))[0]?.stepId);
    const steps = [
      ...(await store.listTaskSteps(older, { limit: 9 })),
      ...(await store.listTaskSteps(urgent, { limit: 9 })),
    ];
    expect(order.map((id) => steps.find((each) => each.stepId === id)?.key)).toEqual([
      "urgent",
      "older-long",
      "older-short",
    ]);
  });
});

describe("an orphan, which its session was given and never learned of", () => {
  it("is released without counting against the step; what is performed, young or another session's stays", async () => {
    const { store, session, admin } = bench;
    const other = await bench.open();
    const ids = { orphan: newId(), performed: newId(), young: newId(), foreign: newId() };
    const ref = await createTask(
      store,
      Object.entries(ids).map(([key, id]) => step(key, id)),
    );
    for (const id of [ids.orphan, ids.performed, ids.young]) await claim(store, ref, id);
    await claim(other.store, ref, ids.foreign);
    await admin.query(
      "update baton.task_execution_step set started_at = started_at - interval '31 s' where task_id = $1 and key <> 'young'",
      [ref.taskId],
    );
    const performing = [{ ...ref, stepId: ids.performed }];
    expect(await store.releaseOrphans(session.sessionId, performing, 30_000)).toBe(1);
    expect(await store.releaseOrphans(session.sessionId, performing, 30_000)).toBe(0);
    expect(await statesOf(store, ref)).toEqual({
      orphan: "ready",
      performed: "running",
      young: "running",
      foreign: "running",
    });
    const traces = await store.listTaskTraces(ref, { limit: 1, newestFirst: true });
    expect(traces).toMatchObject([{ type: "step-released", stepId: ids.orphan, data: { reason: "orphan" } }]);
    const again = await claim(other.store, ref, ids.orphan);
    expect(again).toMatchObject({ attemptNo: 2, failureCount: 0, crashCount: 0 });
    await store.cancelTask(ref, {});
  });
});
