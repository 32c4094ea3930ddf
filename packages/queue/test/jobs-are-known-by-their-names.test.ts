import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { QueuePort, WakeUp } from "@baton/core/ports";
import { stoppableRedis } from "@baton/testing/conformance";
import { startFaultyPostgres } from "@baton/testing/faults";
import {
  cancelJob,
  getJobStatus,
  openPostgresQueue,
  openRedisQueue,
  queueTaskContinuation,
  queueTaskStep,
} from "@baton/queue";

interface Server {
  readonly url: string;
  close(): Promise<void>;
}

const guard = { timeout: 30_000, interval: 20 };
const onError = () => undefined;
const newWakeUp = (): WakeUp => ({
  tenantId: randomUUID(),
  taskId: randomUUID(),
  stepId: randomUUID(),
  dispatchNo: 1,
});

function claims(start: () => Promise<Server>, open: (url: string) => Promise<QueuePort>): void {
  let server: Server;
  let queue: QueuePort;
  let pool: string;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    pool = `pool-${randomUUID().slice(0, 8)}`;
    queue = await open(server.url);
  });
  afterEach(() => queue?.close());

  /** Performs what comes, each until the test lets go. */
  async function consume() {
    const seen: WakeUp[] = [];
    const gate = Promise.withResolvers<void>();
    await queue.consume({
      pool,
      slots: 1,
      perform: async (received) => {
        seen.push(received);
        await gate.promise;
      },
      onError,
    });
    return { seen, letGo: () => gate.resolve() };
  }

  it("queueTaskStep sends one wake-up, and getJobStatus follows it from waiting to completed", async () => {
    const wakeUp = newWakeUp();
    expect(await getJobStatus(queue, pool, wakeUp)).toBe("unknown");
    expect(await queueTaskStep(queue, pool, wakeUp)).toBe(`${wakeUp.stepId}-1`);
    expect(await queueTaskStep(queue, pool, wakeUp)).toBe(`${wakeUp.stepId}-1`);
    expect(await getJobStatus(queue, pool, wakeUp)).toBe("waiting");
    const { seen, letGo } = await consume();
    await vi.waitFor(async () => expect(await getJobStatus(queue, pool, wakeUp)).toBe("active"), guard);
    letGo();
    await vi.waitFor(async () => expect(await getJobStatus(queue, pool, wakeUp)).toBe("completed"), guard);
    expect(seen).toEqual([wakeUp]);
  });

  it("queueTaskContinuation sends all wake-ups, and answers with their ids in order", async () => {
    const wakeUps = [newWakeUp(), newWakeUp(), newWakeUp()];
    expect(await queueTaskContinuation(queue, pool, wakeUps)).toEqual(wakeUps.map(({ stepId }) => `${stepId}-1`));
    expect(await queueTaskContinuation(queue, pool, [])).toEqual([]);
    expect(await queue.depth(pool)).toEqual({ waiting: 3, active: 0 });
  });

  it("cancelJob removes the message that was named and no other, and the step can be sent again", async () => {
    const [kept, removed] = [newWakeUp(), newWakeUp()];
    await queueTaskContinuation(queue, pool, [kept, removed]);
    expect(await cancelJob(queue, pool, removed)).toBe(true);
    expect(await cancelJob(queue, pool, removed)).toBe(false);
    expect(await getJobStatus(queue, pool, removed)).toBe("unknown");
    expect(await getJobStatus(queue, pool, kept)).toBe("waiting");
    const again = { ...removed, dispatchNo: 2 };
    await queueTaskStep(queue, pool, again);
    const { seen, letGo } = await consume();
    letGo();
    await vi.waitFor(() => expect(seen).toEqual([kept, again]), guard);
  });

  it("cancelJob leaves alone what a worker holds or has finished", async () => {
    const wakeUp = newWakeUp();
    await queueTaskStep(queue, pool, wakeUp);
    const { letGo } = await consume();
    await vi.waitFor(async () => expect(await getJobStatus(queue, pool, wakeUp)).toBe("active"), guard);
    expect(await cancelJob(queue, pool, wakeUp)).toBe(false);
    letGo();
    await vi.waitFor(async () => expect(await getJobStatus(queue, pool, wakeUp)).toBe("completed"), guard);
    expect(await cancelJob(queue, pool, wakeUp)).toBe(false);
    expect(await getJobStatus(queue, pool, wakeUp)).toBe("completed");
  });

  it("a closed port is refused with queue-unavailable, another port by name", async () => {
    await queue.close();
    await expect(getJobStatus(queue, pool, newWakeUp())).rejects.toMatchObject({ code: "queue-unavailable" });
    await expect(cancelJob({} as QueuePort, pool, newWakeUp())).rejects.toThrow(/openRedisQueue or openPostgresQueue/);
  });
}

describe("jobs on PostgreSQL", () => claims(startFaultyPostgres, (url) => openPostgresQueue({ url, onError })));

const redis = await stoppableRedis();
if ("unavailable" in redis) {
  describe("jobs on Redis", () => it.skip(`every case [skipped: ${redis.unavailable}]`, () => undefined));
} else {
  describe("jobs on Redis", () =>
    claims(
      async () => redis,
      (url) => openRedisQueue({ url, onError }),
    ));
}
