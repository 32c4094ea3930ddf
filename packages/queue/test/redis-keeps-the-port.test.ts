import { describe, it } from "vitest";
import { queueConformance } from "@baton/testing/conformance";
import { openRedisConnection, openRedisQueue } from "@baton/queue";
import { redisMissing, startRedis } from "./servers.ts";

const missing = redisMissing();
if (missing === undefined) {
  queueConformance("Redis", async () => {
    const server = await startRedis();
    const open = () => openRedisQueue({ url: server.url, onError: () => undefined });
    return {
      open,
      stop: server.stop,
      start: server.start,
      close: server.close,
      wipe: async () => {
        const redis = await openRedisConnection(server.url, () => undefined);
        await redis.flushall();
        redis.disconnect();
      },
    };
  });
} else {
  describe("queue on Redis", () => {
    it.skip(`every case: ${missing}`, () => undefined);
  });
}
