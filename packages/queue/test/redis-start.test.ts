import { afterAll, describe, expect, it } from "vitest";
import { stoppableRedis } from "@baton/testing/conformance";
import { openRedisConnection, openRedisQueue, queueBoardQueues } from "@baton/queue";

const server = await stoppableRedis();
const missing = "unavailable" in server ? ` [skipped: ${server.unavailable}]` : "";
const url = "url" in server ? server.url : "";
const onError = () => undefined;
const ids = { tenantId: "t", taskId: "k" };

describe.skipIf(missing !== "")(`the queue on Redis${missing}`, () => {
  afterAll(async () => {
    if ("close" in server) await server.close();
  });

  it("warns of a server that evicts keys, and only then", async () => {
    const warnings: string[] = [];
    const open = () => openRedisQueue({ url, onError, onWarning: (message) => warnings.push(message) });
    await (await open()).close();
    expect(warnings).toEqual([]);
    const redis = await openRedisConnection(url, onError);
    await redis.config("SET", "maxmemory-policy", "allkeys-lru");
    await (await open()).close();
    await redis.config("SET", "maxmemory-policy", "noeviction");
    redis.disconnect();
    expect(warnings).toEqual([expect.stringContaining("allkeys-lru")]);
  });

  it("sends ids and nothing else", async () => {
    const port = await openRedisQueue({ url, onError });
    const wakeUp = { ...ids, stepId: "s", dispatchNo: 3, secret: "not for the queue" };
    await port.enqueue("ids", [wakeUp]);
    const [queue] = queueBoardQueues(port, ["ids"]) as { getJob(id: string): Promise<{ data: unknown }> }[];
    expect((await queue?.getJob("s-3"))?.data).toEqual({ ...ids, stepId: "s", dispatchNo: 3 });
    await port.close();
  });

  it("says that the server does not answer", async () => {
    await expect(openRedisQueue({ url: "redis://127.0.0.1:1", onError })).rejects.toMatchObject({
      code: "queue-unavailable",
    });
  });

  it("does not wait for a server that accepts and never answers", async () => {
    const port = await openRedisQueue({ url, onError });
    const other = await openRedisConnection(url, onError);
    await other.call("CLIENT", "PAUSE", "600000", "WRITE");
    try {
      await expect(port.enqueue("frozen", [{ ...ids, stepId: "s", dispatchNo: 1 }])).rejects.toMatchObject({
        code: "queue-unavailable",
      });
      await port.close();
    } finally {
      await other.call("CLIENT", "UNPAUSE");
      other.disconnect();
    }
  });
});
