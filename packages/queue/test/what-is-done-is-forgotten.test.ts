import { type FaultyPostgres, startFaultyPostgres } from "@baton/testing/faults";
import { type TestRedis, startTestRedis } from "@baton/testing/servers";
import { openPostgresQueue, openRedisQueue, queueBoardQueues } from "@baton/queue";
import type { QueuePort } from "@baton/core/ports";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

const onError = () => undefined;
const guard = { timeout: 60_000 };

async function keepsTheLast(port: QueuePort): Promise<void> {
  const sent = 1_600;
  let done = 0;
  const count = async () => {
    done += 1;
  };
  await port.consume({ pool: "kept", slots: 8, onError, perform: count });
  await port.enqueue(
    "kept",
    Array.from({ length: sent }, (_, index) => ({ tenantId: "t", taskId: "k", stepId: `s${index}`, dispatchNo: 1 })),
  );
  await vi.waitFor(() => expect(done).toBe(sent), guard);
  await vi.waitFor(async () => expect(await port.depth("kept")).toEqual({ waiting: 0, active: 0 }), guard);
  const [queue] = queueBoardQueues(port, ["kept"]) as { getCompletedCount(): Promise<number> }[];
  const kept = (await queue?.getCompletedCount()) ?? 0;
  expect(kept).toBeGreaterThanOrEqual(1_000);
  expect(kept).toBeLessThan(1_250);
  await port.close();
}

const claim = "keeps the last 1,000 that are done, and at most 249 more a consumer";

describe("messages on PostgreSQL", () => {
  let server: FaultyPostgres;
  beforeAll(async () => {
    server = await startFaultyPostgres();
  });
  afterAll(() => server.close());

  it(claim, async () => keepsTheLast(await openPostgresQueue({ url: server.url, onError })));
});

const redis = await startTestRedis();
const title = `messages on Redis${"unavailable" in redis ? ` [skipped: ${redis.unavailable}]` : ""}`;
describe.skipIf("unavailable" in redis)(title, () => {
  const server = redis as TestRedis;
  afterAll(() => server.close());

  it(claim, async () => keepsTheLast(await openRedisQueue({ url: server.url, onError })));
});
