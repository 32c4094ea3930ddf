import { describe, it } from "vitest";
import { liveConformance, stoppableRedis } from "@baton/testing/conformance";
import { createRedisLive } from "@baton/live";
import { openRedisConnection } from "@baton/queue";

const server = await stoppableRedis();
if ("unavailable" in server) {
  describe("live channel on Redis", () => {
    it.skip(`every case [skipped: ${server.unavailable}]`, () => undefined);
  });
} else {
  liveConformance("Redis", async () => ({
    async open(onError) {
      const connection = await openRedisConnection(server.url, onError);
      const live = createRedisLive({ connection, onError });
      const close = async () => {
        await live.close();
        connection.disconnect();
      };
      return { live, close };
    },
    async cutFollowers() {
      const redis = await openRedisConnection(server.url, () => undefined);
      await redis.call("CLIENT", "KILL", "TYPE", "pubsub");
      redis.disconnect();
    },
    stop: server.stop,
    start: server.start,
    close: server.close,
  }));
}
