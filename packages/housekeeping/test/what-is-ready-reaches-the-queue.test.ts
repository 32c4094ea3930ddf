import { randomBytes } from "node:crypto";
import { defaultTenantId, uuidv7 } from "@baton/core";
import { layOutPlan, planSpec } from "@baton/core/plan";
import type { LogPort, MeterPort, QueuePort, WakeUp } from "@baton/core/ports";
import { taskSettings } from "@baton/core/task";
import { openPostgresQueue } from "@baton/queue";
import { openStore } from "@baton/store";
import type { Store } from "@baton/store";
import { createTestDatabase } from "@baton/testing/databases";
import type { TestDatabase } from "@baton/testing/databases";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { startHousekeeping } from "../src/index.ts";
import type { HousekeepingOptions } from "../src/index.ts";
import { createPump, smallestWindow } from "../src/pump.ts";

const newId = () => uuidv7(Date.now(), randomBytes(10));
const day = 86_400_000;
const ages = { finishedTasksMs: day, idempotencyMs: day, sessionsMs: day, liveMs: day };

let database: TestDatabase;
let store: Store;
let queue: QueuePort;
let samples: Map<string, number>;
let logged: string[];
let meter: MeterPort;
let log: LogPort;

beforeEach(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
  const onError = () => undefined;
  // No room: every dispatch is left to the pump.
  store = await openStore({
    url: database.url,
    applicationName: "test",
    newId,
    onError,
    onWakeUps: () => undefined,
    room: () => 0,
  });
  queue = await openPostgresQueue({ url: database.url, onError });
  samples = new Map();
  logged = [];
  const add = (name: string, value: number) => void samples.set(name, (samples.get(name) ?? 0) + value);
  meter = {
    count: (name, _labels, by = 1) => add(name, by),
    gauge: (name, value) => void samples.set(name, value),
    observe: () => {},
  };
  const put = (event: string) => void logged.push(event);
  log = { debug: put, info: put, warn: put, error: put };
});
afterEach(async () => {
  await queue.close();
  await store.close();
  await database.drop();
});

async function createTask(stepCount: number): Promise<{ tenantId: string; taskId: string }> {
  const taskId = newId();
  const plan = planSpec.parse({
    steps: Array.from({ length: stepCount }, (_one, index) => ({ id: `s${index}`, type: "checkpoint" })),
  });
  const steps = layOutPlan(plan, { newId, retry: {}, pool: "default", rankOf: () => 1 });
  await store.createTask({
    tenantId: defaultTenantId,
    taskId,
    kind: "plan",
    goal: "g",
    input: null,
    settings: taskSettings.parse({}),
    steps,
    traces: [],
  });
  return { tenantId: defaultTenantId, taskId };
}

const begin = (more: Partial<HousekeepingOptions> = {}) =>
  startHousekeeping({
    store,
    queue,
    pools: [{ pool: "default", slots: 4 }],
    ages,
    meter,
    log,
    monotonic: () => performance.now(),
    random: Math.random,
    ...more,
  });

/** A session of another process. */
async function openAnother(pools: readonly string[], slots: number): Promise<{ close(): Promise<void> }> {
  const onError = () => undefined;
  const other = await openStore({
    url: database.url,
    applicationName: "another",
    newId,
    onError,
    onWakeUps: () => undefined,
    maxConnections: 2,
  });
  const options = { tools: [], version: "t", role: "worker", beatMs: 60_000, leaseMs: 600_000 } as const;
  const session = await other.openSession({ ...options, pools, slots });
  return {
    async close() {
      await session.close();
      await other.close();
    },
  };
}

const pumpOf = (more: Partial<Parameters<typeof createPump>[0]> = {}) =>
  createPump({
    store,
    queue,
    pool: "default",
    slots: 4,
    monotonic: () => performance.now(),
    onDispatched: () => {},
    ...more,
  });

describe("the pump", () => {
  test("puts every ready step on the queue, and a consumer gets it", async () => {
    await createTask(3);
    const got: WakeUp[] = [];
    const consumer = await queue.consume({
      pool: "default",
      slots: 4,
      onError: () => {},
      perform: async (wakeUp) => void got.push(await Promise.resolve(wakeUp)),
    });
    const house = begin();
    await expect.poll(() => got.length, { timeout: 20_000 }).toBe(3);
    await house.stop();
    await consumer.close(1_000);
    expect(samples.get("baton_dispatched_total")).toBe(3);
    expect(house.room()).toBeLessThanOrEqual(smallestWindow);
  });

  test("fills the queue up to its window and leaves the rest in PostgreSQL", async () => {
    await createTask(smallestWindow + 40);
    const pump = pumpOf();
    await pump.round(new AbortController().signal);
    expect((await queue.depth("default")).waiting).toBe(smallestWindow);
    expect(pump.room).toBe(0);
    expect(await pump.round(new AbortController().signal)).toBe(250);
    expect((await queue.depth("default")).waiting).toBe(smallestWindow);
  });

  test("has a window for the slots of all live sessions of its pool, as housekeeping tells it", async () => {
    await createTask(700);
    const opened = await Promise.all([openAnother(["default"], 100), openAnother(["default", "b"], 50)]);
    opened.push(await openAnother(["b"], 1_000));
    const house = begin();
    await expect.poll(async () => (await queue.depth("default")).waiting, { timeout: 20_000 }).toBe(600);
    await house.stop();
    expect(samples.get("baton_live_slots")).toBe(150);
    await opened[0]?.close();
    expect(await store.liveSlots()).toEqual([
      { pool: "b", slots: 1_050 },
      { pool: "default", slots: 50 },
    ]);
    for (const each of opened.slice(1)) await each.close();
  });

  test("looks often while there is work and seldom when there is none", async () => {
    let now = 0;
    let asked = 0;
    const depth = async (pool: string) => {
      asked += 1;
      return await queue.depth(pool);
    };
    const pump = pumpOf({ monotonic: () => now, queue: { depth, enqueue: queue.enqueue.bind(queue) } });
    const round = async () => await pump.round(new AbortController().signal);
    expect(await round()).toBe(1_600);
    pump.sawWork();
    expect(await round()).toBe(250);
    expect(asked).toBe(2);
    now += 60_000;
    expect(await round()).toBe(1_600);
    expect(asked, "an idle pump asks PostgreSQL alone").toBe(2);
  });

  test("counts down its room as others enqueue, and never below none", () => {
    const pump = pumpOf();
    pump.took(6);
    expect(pump.room).toBe(smallestWindow - 6);
    pump.took(10_000);
    expect(pump.room).toBe(0);
  });

  test("that cannot reach the queue leaves the step to time, and dispatches it again", async () => {
    await createTask(1);
    const broken = pumpOf({
      queue: { depth: () => queue.depth("default"), enqueue: () => Promise.reject(new Error("away")) },
    });
    await expect(broken.round(new AbortController().signal)).rejects.toThrow("away");
    const pump = pumpOf();
    await expect
      .poll(
        async () => {
          await pump.round(new AbortController().signal);
          return (await queue.depth("default")).waiting;
        },
        { timeout: 20_000, interval: 500 },
      )
      .toBe(1);
  });

  test("stops before the queue is written where a fault test says so", async () => {
    await createTask(1);
    const at: string[] = [];
    const pump = pumpOf({ failPoint: (name, wakeUp) => void at.push(`${name} ${wakeUp.dispatchNo}`) });
    await pump.round(new AbortController().signal);
    expect(at).toEqual(["before-dispatch 1"]);
  });
});

describe("housekeeping", () => {
  test("takes the steps of a dead session back, and measures what waits", async () => {
    const ref = await createTask(1);
    const session = await store.openSession({
      pools: ["default"],
      slots: 1,
      tools: [],
      version: "t",
      role: "worker",
      beatMs: 60_000,
      leaseMs: 300,
    });
    const [wakeUp] = await store.dispatchSteps({ pool: "default", room: 1, queueWaiting: 0 });
    if (wakeUp === undefined) throw new Error("nothing was dispatched");
    await store.claimStep(wakeUp);
    const house = begin();
    const stateOf = async () => (await store.listTaskSteps(ref, { limit: 1 }))[0];
    await expect.poll(async () => (await stateOf())?.crashCount, { timeout: 20_000 }).toBe(1);
    await expect.poll(() => samples.get("baton_steps_reclaimed_total"), { timeout: 20_000 }).toBe(1);
    expect(logged).toContain("sessions-reaped");
    await expect.poll(() => samples.get("baton_backlog_ready"), { timeout: 20_000 }).toBeDefined();
    await house.stop();
    await session.close();
  });

  test("deletes finished tasks that are older than their age", async () => {
    const ref = await createTask(1);
    await store.cancelTask(ref, {});
    const house = begin({ ages: { ...ages, finishedTasksMs: 0 } });
    await expect.poll(async () => await store.getTask(ref), { timeout: 20_000 }).toBeUndefined();
    await expect.poll(() => logged).toContain("tasks-pruned");
    await house.stop();
  });

  test("of a process that performs nothing only reaps, prunes and measures", async () => {
    await createTask(1);
    const house = begin({ pools: [] });
    house.sawWork("default");
    house.took("default", 1);
    await expect.poll(() => samples.get("baton_loop_rounds_total"), { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
    await house.stop();
    expect((await queue.depth("default")).waiting).toBe(0);
    expect(house.room()).toBe(smallestWindow);
  });
});
