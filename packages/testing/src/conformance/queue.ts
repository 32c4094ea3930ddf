/**
 * What every implementation of the queue port promises, as one suite.
 *
 * Boundary: it knows the port and a server that can be stopped; nothing of BullMQ.
 * 1. Every case has a pool of its own, so one server serves the suite.
 * 2. Nothing is measured: cases wait for a condition, with a generous guard.
 */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { BatonError } from "@baton/core";
import type { QueueConsumer, QueuePort, WakeUp } from "@baton/core/ports";

export interface QueueHarness {
  /** A port of its own on the harness's server. */
  open(): Promise<QueuePort>;
  /** Stops the server at once, losing what it had not written, and resolves when its port is free. */
  stop(): Promise<void>;
  /** Starts it again at the same address. */
  start(): Promise<void>;
  /** Empties the backend while everybody is connected. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

const guard = { timeout: 30_000, interval: 20 };

function wakeUp(dispatchNo = 1, stepId: string = randomUUID()): WakeUp {
  return { tenantId: randomUUID(), taskId: randomUUID(), stepId, dispatchNo };
}

function wakeUps(count: number): WakeUp[] {
  return Array.from({ length: count }, () => wakeUp());
}

/** A promise that a test resolves when it likes. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof BatonError ? error.code : String(error);
  }
  return "resolved";
}

export function queueConformance(name: string, setup: () => Promise<QueueHarness>): void {
  describe(`queue on ${name}`, () => {
    let harness: QueueHarness;
    let port: QueuePort;
    const ports: QueuePort[] = [];
    let pool = "";

    async function open(): Promise<QueuePort> {
      const opened = await harness.open();
      ports.push(opened);
      return opened;
    }

    /** Consumes the pool and keeps what it saw, in order. */
    async function collect(
      from: QueuePort,
      options: { slots?: number; pool?: string; perform?: (wakeUp: WakeUp) => Promise<void> } = {},
    ): Promise<{ seen: WakeUp[]; errors: Error[]; consumer: QueueConsumer }> {
      const seen: WakeUp[] = [];
      const errors: Error[] = [];
      const consumer = await from.consume({
        pool: options.pool ?? pool,
        slots: options.slots ?? 4,
        perform: async (received) => {
          seen.push(received);
          await options.perform?.(received);
        },
        onError: (error) => errors.push(error),
      });
      return { seen, errors, consumer };
    }

    beforeAll(async () => {
      harness = await setup();
    });
    afterAll(async () => {
      await harness.close();
    });
    afterEach(async () => {
      await Promise.all(ports.splice(0).map((opened) => opened.close()));
    });
    async function fresh(): Promise<void> {
      pool = `pool-${randomUUID().slice(0, 8)}`;
      port = await open();
    }

    it("delivers each wake-up once, with the four ids it was sent with", async () => {
      await fresh();
      const sent = wakeUps(50);
      await port.enqueue(pool, sent);
      const { seen } = await collect(port);
      await vi.waitFor(() => expect(seen).toHaveLength(50), guard);
      await vi.waitFor(async () => expect(await port.depth(pool)).toEqual({ waiting: 0, active: 0 }), guard);
      const byStep = (one: WakeUp, other: WakeUp) => one.stepId.localeCompare(other.stepId);
      expect(seen.toSorted(byStep)).toEqual(sent.toSorted(byStep));
    });

    it("loses none of 1,000 wake-ups among three consumers", async () => {
      await fresh();
      const consumers = await Promise.all([open(), open(), open()].map(async (opened) => collect(await opened)));
      const sent = wakeUps(1_000);
      for (let from = 0; from < sent.length; from += 100) await port.enqueue(pool, sent.slice(from, from + 100));
      const steps = () => consumers.flatMap(({ seen }) => seen.map(({ stepId }) => stepId));
      await vi.waitFor(() => expect(new Set(steps()).size).toBe(1_000), guard);
      expect(steps()).toHaveLength(1_000);
    });

    it("swallows a repeated id and delivers the step again under a new dispatch number", async () => {
      await fresh();
      const { seen } = await collect(port);
      const first = wakeUp(1);
      await port.enqueue(pool, [first]);
      await vi.waitFor(() => expect(seen).toHaveLength(1), guard);
      await vi.waitFor(async () => expect(await port.depth(pool)).toEqual({ waiting: 0, active: 0 }), guard);
      await port.enqueue(pool, [first]);
      await port.enqueue(pool, [{ ...first, dispatchNo: 2 }]);
      await vi.waitFor(() => expect(seen.map(({ dispatchNo }) => dispatchNo)).toEqual([1, 2]), guard);
      expect(await port.depth(pool)).toMatchObject({ waiting: 0 });
    });

    it("delivers what is sent as soon as the port is open", async () => {
      await fresh();
      await (await open()).enqueue(pool, wakeUps(1));
      expect(await port.depth(pool)).toEqual({ waiting: 1, active: 0 });
    });

    it("performs no more at once than it has slots", async () => {
      await fresh();
      let running = 0;
      let most = 0;
      const held = gate();
      const { seen, consumer } = await collect(port, {
        slots: 3,
        perform: async () => {
          running += 1;
          most = Math.max(most, running);
          await held.opened;
          running -= 1;
        },
      });
      await port.enqueue(pool, wakeUps(12));
      await vi.waitFor(() => expect(consumer.activeCount).toBe(3), guard);
      await vi.waitFor(async () => expect(await port.depth(pool)).toEqual({ waiting: 9, active: 3 }), guard);
      held.open();
      await vi.waitFor(() => expect(seen).toHaveLength(12), guard);
      expect(most).toBe(3);
      await vi.waitFor(() => expect(consumer.activeCount).toBe(0), guard);
    });

    it("takes nothing while paused, also when it was already waiting, and goes on after resume", async () => {
      await fresh();
      const { seen, consumer } = await collect(port);
      await port.enqueue(pool, wakeUps(1));
      // Done to the end: its completion may ask for the next one.
      await vi.waitFor(
        async () => expect([seen.length, await port.depth(pool)]).toEqual([1, { waiting: 0, active: 0 }]),
        guard,
      );
      await consumer.pause();
      await port.enqueue(pool, wakeUps(5));
      // Another consumer taking them all shows that the paused one had its chance.
      const other = await collect(await open());
      await vi.waitFor(() => expect(other.seen).toHaveLength(5), guard);
      expect(seen).toHaveLength(1);
      await other.consumer.close(1_000);
      consumer.resume();
      await port.enqueue(pool, wakeUps(1));
      await vi.waitFor(() => expect(seen).toHaveLength(2), guard);
    });

    it("survives pause and resume in quick turns", async () => {
      await fresh();
      const { seen, consumer } = await collect(port);
      for (let turn = 0; turn < 20; turn++) {
        await consumer.pause();
        consumer.resume();
      }
      await port.enqueue(pool, wakeUps(20));
      await vi.waitFor(() => expect(seen).toHaveLength(20), guard);
    });

    it("stays paused when a pause follows a resume at once", async () => {
      await fresh();
      const { seen, consumer } = await collect(port);
      await consumer.pause();
      consumer.resume();
      await consumer.pause();
      await port.enqueue(pool, wakeUps(5));
      const other = await collect(await open());
      await vi.waitFor(() => expect(other.seen.length + seen.length).toBe(5), guard);
      // A question that was on its way when the pause came may still be answered with one message.
      expect(seen.length).toBeLessThanOrEqual(1);
      await port.enqueue(pool, wakeUps(5));
      const before = seen.length;
      await vi.waitFor(() => expect(other.seen.length + seen.length).toBe(10), guard);
      expect(seen).toHaveLength(before);
    });

    it("lets what is in flight end while paused", async () => {
      await fresh();
      const held = gate();
      const { seen, consumer } = await collect(port, { perform: () => held.opened });
      await port.enqueue(pool, wakeUps(2));
      await vi.waitFor(() => expect(consumer.activeCount).toBe(2), guard);
      await consumer.pause();
      await port.enqueue(pool, wakeUps(3));
      held.open();
      await vi.waitFor(async () => expect(await port.depth(pool)).toEqual({ waiting: 3, active: 0 }), guard);
      expect(seen).toHaveLength(2);
      consumer.resume();
      await vi.waitFor(() => expect(seen).toHaveLength(5), guard);
    });

    it("reports a rejected perform and counts the message as done", async () => {
      await fresh();
      const { errors, seen } = await collect(port, { perform: () => Promise.reject(new Error("not my step")) });
      await port.enqueue(pool, wakeUps(1));
      await vi.waitFor(() => expect(errors.map(({ message }) => message)).toEqual(["not my step"]), guard);
      await vi.waitFor(async () => expect(await port.depth(pool)).toEqual({ waiting: 0, active: 0 }), guard);
      expect(seen).toHaveLength(1);
    });

    it("closes within its grace while a perform hangs", async () => {
      await fresh();
      const { consumer } = await collect(port, { perform: () => new Promise<void>(() => undefined) });
      await port.enqueue(pool, wakeUps(1));
      await vi.waitFor(() => expect(consumer.activeCount).toBe(1), guard);
      const begun = performance.now();
      await consumer.close(1_000);
      expect(performance.now() - begun).toBeLessThan(10_000);
    });

    it("waits for what is in flight when the grace allows it", async () => {
      await fresh();
      const held = gate();
      const { consumer } = await collect(port, { perform: () => held.opened });
      await port.enqueue(pool, wakeUps(1));
      await vi.waitFor(() => expect(consumer.activeCount).toBe(1), guard);
      const closed = consumer.close(30_000);
      held.open();
      await closed;
      expect(await port.depth(pool)).toEqual({ waiting: 0, active: 0 });
    });

    it("keeps pools apart", async () => {
      await fresh();
      const other = `${pool}-b`;
      const here = await collect(port);
      const there = await collect(port, { pool: other });
      const [mine, theirs] = [wakeUps(5), wakeUps(5)];
      await Promise.all([port.enqueue(pool, mine), port.enqueue(other, theirs)]);
      const steps = (list: readonly WakeUp[]) => new Set(list.map(({ stepId }) => stepId));
      await vi.waitFor(() => expect(steps(here.seen)).toEqual(steps(mine)), guard);
      await vi.waitFor(() => expect(steps(there.seen)).toEqual(steps(theirs)), guard);
    });

    it.each([
      ["a NUL", "stepId", "a\u0000b"],
      ["a lone surrogate", "taskId", "\ud800"],
      ["a colon", "stepId", "a:b"],
      ["nothing", "tenantId", ""],
    ])("refuses an id with %s and sends nothing of the batch", async (_what, field, id) => {
      await fresh();
      const bad = { ...wakeUp(), [field]: id };
      expect(await codeOf(port.enqueue(pool, [wakeUp(), bad]))).toBe("invalid-request");
      await expect(port.enqueue(pool, [bad])).rejects.toThrow(field);
      expect(await port.depth(pool)).toEqual({ waiting: 0, active: 0 });
    });

    it("refuses a dispatch number and a pool name that cannot be part of an id", async () => {
      await fresh();
      expect(await codeOf(port.enqueue(pool, [wakeUp(1.5)]))).toBe("invalid-request");
      expect(await codeOf(port.enqueue(pool, [wakeUp(-1)]))).toBe("invalid-request");
      expect(await codeOf(port.enqueue("a:b", [wakeUp()]))).toBe("invalid-request");
    });

    it("takes 10,000 wake-ups in one call and an empty list", async () => {
      await fresh();
      await port.enqueue(pool, []);
      await port.enqueue(pool, wakeUps(10_000));
      expect(await port.depth(pool)).toEqual({ waiting: 10_000, active: 0 });
    });

    it("looks again and again while there is nothing to take", async () => {
      await fresh();
      const { consumer } = await collect(port);
      await vi.waitFor(() => expect(consumer.lastLookedAt).toBeGreaterThan(0), guard);
      const first = consumer.lastLookedAt;
      await vi.waitFor(() => expect(consumer.lastLookedAt).toBeGreaterThan(first), guard);
    });

    it("refuses to work after close", async () => {
      await fresh();
      await port.close();
      expect(await codeOf(port.enqueue(pool, wakeUps(1)))).toBe("queue-unavailable");
      await port.close();
    });

    it("rejects an enqueue while the server is away, shows a stale look, and recovers by itself when it is back", async () => {
      await fresh();
      const { seen, consumer } = await collect(port);
      await port.enqueue(pool, wakeUps(1));
      await vi.waitFor(() => expect(seen).toHaveLength(1), guard);
      await harness.stop();
      try {
        const begun = performance.now();
        await vi.waitFor(async () => {
          expect(await codeOf(port.enqueue(pool, wakeUps(1)))).toBe("queue-unavailable");
        }, guard);
        expect(await codeOf(port.depth(pool))).toBe("queue-unavailable");
        expect(performance.now() - begun).toBeLessThan(15_000);
        const looked = consumer.lastLookedAt;
        // Longer than an idle consumer waits before it asks again (5 s): an outage that older releases of BullMQ did not survive.
        await vi.waitFor(() => expect(performance.now() - begun).toBeGreaterThan(6_000), guard);
        expect(consumer.lastLookedAt).toBe(looked);
      } finally {
        await harness.start();
      }
      const after = wakeUp();
      await vi.waitFor(() => port.enqueue(pool, [after]), guard);
      await vi.waitFor(() => expect(seen.map(({ stepId }) => stepId)).toContain(after.stepId), guard);
    });

    it("resumes in an outage and takes messages after it", async () => {
      await fresh();
      const { seen, consumer } = await collect(port);
      await consumer.pause();
      await harness.stop();
      try {
        consumer.resume();
        await vi.waitFor(async () => expect(await codeOf(port.depth(pool))).toBe("queue-unavailable"), guard);
      } finally {
        await harness.start();
      }
      const after = wakeUp();
      await vi.waitFor(() => port.enqueue(pool, [after]), guard);
      await vi.waitFor(() => expect(seen.map(({ stepId }) => stepId)).toContain(after.stepId), guard);
    });

    it("pauses in an outage, and takes messages after it was resumed", async () => {
      await fresh();
      const { seen, consumer } = await collect(port);
      await harness.stop();
      try {
        await vi.waitFor(async () => expect(await codeOf(port.depth(pool))).toBe("queue-unavailable"), guard);
        for (let turn = 0; turn < 3; turn++) {
          await consumer.pause();
          consumer.resume();
        }
      } finally {
        await harness.start();
      }
      const after = wakeUp();
      await vi.waitFor(() => port.enqueue(pool, [after]), guard);
      await vi.waitFor(() => expect(seen.map(({ stepId }) => stepId)).toContain(after.stepId), guard);
    });

    it("closes within its grace while the server is away", async () => {
      await fresh();
      const { consumer, seen } = await collect(port, { perform: () => new Promise<void>(() => undefined) });
      await port.enqueue(pool, wakeUps(1));
      await vi.waitFor(() => expect(seen).toHaveLength(1), guard);
      await harness.stop();
      try {
        const begun = performance.now();
        await consumer.close(1_000);
        await port.close();
        expect(performance.now() - begun).toBeLessThan(10_000);
      } finally {
        await harness.start();
      }
    });

    it("refuses to consume while the server is away", async () => {
      await fresh();
      await harness.stop();
      try {
        expect(await codeOf(collect(port))).toBe("queue-unavailable");
      } finally {
        await harness.start();
      }
    });

    it("goes on after the backend was emptied under it", async () => {
      await fresh();
      const held = gate();
      const { seen } = await collect(port, { slots: 2, perform: () => held.opened });
      await port.enqueue(pool, wakeUps(10));
      await vi.waitFor(() => expect(seen).toHaveLength(2), guard);
      await harness.wipe();
      held.open();
      const after = wakeUps(10);
      await port.enqueue(pool, after);
      const arrived = () => new Set(seen.map(({ stepId }) => stepId));
      await vi.waitFor(() => expect(after.every(({ stepId }) => arrived().has(stepId))).toBe(true), guard);
    });
  });
}
