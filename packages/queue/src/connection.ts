/**
 * Redis connections of this process.
 *
 * 1. What a caller waits for fails at once while Redis is away (`enableOfflineQueue: false`); what waits
 *    for messages stays and comes back by itself (`maxRetriesPerRequest: null`).
 * 2. A lost connection is tried again at least every two seconds, for ever.
 * 3. A connection that answers nothing for a while, and will not say that it is gone, counts as lost.
 */
import { Redis } from "ioredis";
import type { RedisOptions } from "ioredis";
import { within } from "./deadline.ts";
import { unavailable } from "./unavailable.ts";

const connectMs = 5_000;

const reconnecting = {
  retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times, 10), 2_000),
  connectTimeout: 3_000,
  keepAlive: 10_000,
} as const satisfies RedisOptions;

/** For commands that a caller waits for. */
const impatient = {
  ...reconnecting,
  socketTimeout: 5_000,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
} as const satisfies RedisOptions;

/** For waiting on messages: Redis lets a consumer wait for `drainDelay` before it answers that there is none. */
export const patient = {
  ...reconnecting,
  socketTimeout: 8_000,
  maxRetriesPerRequest: null,
} as const satisfies RedisOptions;

/**
 * A ready connection whose commands fail at once while Redis is away. The caller closes it with
 * `disconnect()`. Rejects with `queue-unavailable` when Redis does not answer within 5 s.
 */
export async function openRedisConnection(url: string, onError: (error: Error) => void): Promise<Redis> {
  const redis = new Redis(url, { ...impatient, lazyConnect: true });
  let lastError: Error | undefined;
  redis.on("error", (error: Error) => {
    lastError = error;
    onError(error);
  });
  const ready = new Promise<void>((resolve) => redis.once("ready", resolve));
  // A refused first attempt is followed by others; the limit below decides.
  redis.connect().catch(() => undefined);
  try {
    await within(connectMs, ready, () => {
      throw lastError ?? new Error(`no answer within ${connectMs} ms`);
    });
  } catch (cause) {
    redis.disconnect();
    throw unavailable("redis", "nothing was started", cause);
  }
  return redis;
}

/** What is wrong with the server's settings, in words; empty when nothing is. */
export async function serverWarnings(redis: Redis): Promise<readonly string[]> {
  const info = await redis.info();
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? "noeviction";
  if (policy === "noeviction") return [];
  return [
    `Redis evicts keys when memory is full (maxmemory-policy is ${policy}), and with them messages: set maxmemory-policy to noeviction.`,
  ];
}
