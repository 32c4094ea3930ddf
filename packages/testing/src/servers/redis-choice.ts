/** Which Redis this machine can give: a `redis-server` from PATH, else a container, else the reason why not. */
import { createServer } from "node:net";
import type { TestRedis } from "./redis.ts";
import { containerRuntimeMissing, startRedisContainer } from "./redis-container.ts";
import { redisServerRuns, startRedisProcess } from "./redis-process.ts";

export interface Unavailable {
  readonly unavailable: string;
}

/** Why this machine has no Redis for tests, or undefined. */
export async function redisUnavailable(): Promise<string | undefined> {
  if (redisServerRuns()) return undefined;
  const noContainers = await containerRuntimeMissing();
  return noContainers && `no redis-server on PATH, and ${noContainers}`;
}

export async function startTestRedis(): Promise<TestRedis | Unavailable> {
  if (redisServerRuns()) return await startRedisProcess(await freePort());
  const unavailable = await redisUnavailable();
  return unavailable === undefined ? await startRedisContainer(await freePort()) : { unavailable };
}

async function freePort(): Promise<number> {
  const server = createServer();
  return await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
