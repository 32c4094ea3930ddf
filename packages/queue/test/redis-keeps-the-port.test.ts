import { describe, it } from "vitest";
import { queueConformance, stoppableRedis } from "@baton/testing/conformance";
import { openRedisQueue } from "@baton/queue";

const server = await stoppableRedis();
if ("unavailable" in server) {
  describe("queue on Redis", () => {
    it.skip(`every case [skipped: ${server.unavailable}]`, () => undefined);
  });
} else {
  queueConformance("Redis", async () => ({
    open: () => openRedisQueue({ url: server.url, onError: () => undefined }),
    stop: server.stop,
    start: server.start,
    wipe: server.wipe,
    close: server.close,
  }));
}
