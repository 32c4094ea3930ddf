/** What a test does to its own Redis beside FLUSHALL, which `TestRedis` has. */
import { setTimeout as delay } from "node:timers/promises";
import { redisCommand, type TestRedis } from "../servers/redis.ts";

/** Ends it at once with everything in it, and starts it again, empty, after `awayMs`. */
export async function loseRedis(redis: TestRedis, awayMs: number): Promise<void> {
  await redis.kill();
  await delay(awayMs);
  await redis.start();
}

/** Closes every client's connection from the server's side; gives how many. */
export async function killRedisClients(redis: TestRedis): Promise<number> {
  const port = Number(new URL(redis.url).port);
  let count = 0;
  // One after the other: each of these commands comes from a client that the other one would close.
  for (const type of ["normal", "pubsub"])
    count += Number((await redisCommand(port, `CLIENT KILL TYPE ${type}`)).slice(1));
  return count;
}
