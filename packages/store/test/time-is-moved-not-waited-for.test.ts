import { resetDatabaseClock, setDatabaseClock } from "@baton/testing/databases";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
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
} from "./builders.ts";

const hourMs = 3_600_000;

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterEach(() => resetDatabaseClock(bench.database.adminUrl));
afterAll(() => bench?.close());

const move = (clock: Parameters<typeof setDatabaseClock>[1]) => setDatabaseClock(bench.database.adminUrl, clock);
const databaseNow = async (): Promise<number> => {
  const { rows } = await bench.admin.query<{ now: number }>(
    "select (extract(epoch from baton.clock()) * 1000)::float8 as now",
  );
  return rows[0]?.now ?? Number.NaN;
};
const realNow = async (): Promise<number> => {
  const { rows } = await bench.admin.query<{ now: number }>(
    "select (extract(epoch from clock_timestamp()) * 1000)::float8 as now",
  );
  return rows[0]?.now ?? Number.NaN;
};
const due = () => bench.store.dispatchSteps({ pool: "default", room: 10, queueWaiting: 1_000 });

describe("the clock of a database", () => {
  it("is the server's, until it is moved, and again after it was reset", async () => {
    const aheadMs = async (): Promise<number> => (await databaseNow()) - (await realNow());
    expect(Math.abs(await aheadMs())).toBeLessThan(60_000);
    await move({ offsetMs: hourMs });
    expect(await aheadMs()).toBeGreaterThan(hourMs - 60_000);
    await move({ offsetMs: -hourMs });
    expect(await aheadMs()).toBeLessThan(60_000 - hourMs);
    await resetDatabaseClock(bench.database.adminUrl);
    expect(Math.abs(await aheadMs())).toBeLessThan(60_000);
  });

  it("stands still, or runs a million times as fast, on connections that have used it before", async () => {
    await move({ scale: 0 });
    const stopped = await databaseNow();
    expect(await databaseNow()).toBe(stopped);
    await move({ scale: 1_000_000 });
    const from = await databaseNow();
    await expect.poll(async () => (await databaseNow()) - from).toBeGreaterThan(hourMs);
  });

  it("refuses what is no time", async () => {
    await expect(move({ offsetMs: Number.NaN })).rejects.toThrow("offsetMs");
    await expect(move({ scale: -1 })).rejects.toThrow("scale");
  });
});

describe("a backoff of an hour", () => {
  const failedStep = async () => {
    // A lease that is longer than the clock is moved here.
    const { store } = await bench.open({ leaseMs: 24 * hourMs });
    const a = newId();
    const ref = await createTask(bench.store, [step("a", a)]);
    const claimed = await claim(store, ref, a);
    await store.settleAttempt(settlementOf(claimed, { outcome: "retry-later", error: failure, delayMs: hourMs }));
    return { ref, a };
  };

  it("is over when the clock has moved past it, and not a second before", async () => {
    const { ref, a } = await failedStep();
    expect(await bench.store.getTask(ref)).toMatchObject({ state: "retrying" });
    expect(await due()).toEqual([]);
    await move({ offsetMs: hourMs - 60_000 });
    expect(await due()).toEqual([]);
    await move({ offsetMs: hourMs + 1_000 });
    expect(await due()).toMatchObject([{ stepId: a }]);
    const later = await bench.open();
    const claimed = await claim(later.store, ref, a);
    expect(claimed).toMatchObject({ attemptNo: 2, failureCount: 1 });
    expect(await later.store.settleAttempt(settlementOf(claimed, completed()))).toEqual({ status: "settled" });
    expect(await later.store.getTask(ref)).toMatchObject({ state: "completed" });
  });

  it("passes while one looks when time runs fast", async () => {
    const { ref, a } = await failedStep();
    await move({ scale: 10_000 });
    await expect.poll(due, { timeout: 30_000 }).toMatchObject([{ stepId: a }]);
    await bench.store.cancelTask(ref, {});
  });
});

describe("a lease", () => {
  it("expires by the clock alone: the session is reaped, its step goes back, its settle is lost", async () => {
    const dying = await bench.open({ leaseMs: 2 * hourMs });
    const a = newId();
    const ref = await createTask(bench.store, [step("a", a)]);
    const claimed = await claim(dying.store, ref, a);
    const lost = new Promise<void>((resolve) =>
      dying.session.lost.addEventListener("abort", () => resolve(), { once: true }),
    );
    await move({ offsetMs: hourMs });
    await bench.store.reapSessions();
    expect(await statesOf(bench.store, ref)).toEqual({ a: "running" });
    // A beat has renewed it at most an hour ahead of the real time.
    await move({ offsetMs: 4 * hourMs });
    // A reaper passes over a session that a beat has locked at this moment; the next one takes it.
    await expect.poll(() => bench.store.reapSessions()).toMatchObject({ steps: 1, deadLetters: 0 });
    expect(await statesOf(bench.store, ref)).toEqual({ a: "ready" });
    expect(await dying.store.settleAttempt(settlementOf(claimed, completed()))).toEqual({ status: "lease-lost" });
    await lost;
    await bench.store.cancelTask(ref, {});
  });
});
