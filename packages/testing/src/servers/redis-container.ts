/** Redis from a container, where a Docker daemon runs. The host port is fixed, so that a restart keeps the URL. */
import { redisArguments, redisCommand, untilRedisAnswers } from "./redis.ts";
import type { TestRedis } from "./redis.ts";

const image = "redis:7-alpine";

export async function containerRuntimeMissing(): Promise<string | undefined> {
  // Loaded only where it is needed: it takes longer than most tests.
  const { getContainerRuntimeClient } = await import("testcontainers");
  return await getContainerRuntimeClient().then(
    () => undefined,
    () => "no Docker daemon answers",
  );
}

export async function startRedisContainer(port: number): Promise<TestRedis> {
  const { GenericContainer, getContainerRuntimeClient } = await import("testcontainers");
  const started = await new GenericContainer(image)
    .withCommand(["redis-server", ...redisArguments])
    .withExposedPorts({ container: 6379, host: port })
    .start();
  const { container } = await getContainerRuntimeClient();
  const inner = container.getById(started.getId());
  const start = async () => {
    await container.start(inner);
    await untilRedisAnswers(port);
  };
  const stop = () => container.stop(inner);
  return {
    url: `redis://127.0.0.1:${port}`,
    stop,
    kill: async () => void (await inner.kill()),
    start,
    async restart() {
      await stop();
      await start();
    },
    flushAll: async () => void (await redisCommand(port, "FLUSHALL")),
    close: async () => void (await started.stop()),
  };
}
