/**
 * The rate limiter that all workers share, on Redis.
 *
 * Purpose: at most `max` acquisitions of a key in any span of `durationMs`.
 * Boundary: the caller owns the connection.
 *
 * 1. One script reads, decides and writes; its clock is the server's.
 * 2. The key's list holds the last `max` times, newest first, and expires by itself.
 * 3. In one process the callers of a key queue up, so as many clients ask Redis as there are processes.
 * 4. Redis emptied: the limiter forgets, and at most one span carries twice its share. Redis away:
 *    callers wait, up to `outageMs`, and are then refused; nobody is let through unasked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { BatonError } from "@baton/core";
import type { RateLimit, RateLimiter } from "@baton/core/ports";
import { within } from "./deadline.ts";
import { unavailable } from "./unavailable.ts";

export interface RedisLimiterOptions {
  /** From `openRedisConnection`. */
  readonly connection: Redis;
  /** In front of every key. Default `{baton}`. */
  readonly prefix?: string;
  /** How long callers wait for a Redis that is away. Default 30,000. */
  readonly outageMs?: number;
}

/** KEYS: the list. ARGV: max, durationMs. Returns 0 (acquired) or the milliseconds until it is worth asking again. */
const script = `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local max, duration = tonumber(ARGV[1]), tonumber(ARGV[2])
local oldest = redis.call("LINDEX", KEYS[1], max - 1)
if oldest then
  local rest = oldest + duration - now
  if rest > 0 then return math.min(rest, duration) end
end
redis.call("LPUSH", KEYS[1], now)
redis.call("LTRIM", KEYS[1], 0, max - 1)
redis.call("PEXPIRE", KEYS[1], duration)
return 0
`;

const answerMs = 2_000;
const retryMs = 250;

export function createRedisLimiter(options: RedisLimiterOptions): RateLimiter {
  const { connection, prefix = "{baton}", outageMs = 30_000 } = options;
  const lines = new Map<string, Promise<void>>();

  async function ask(key: string, { max, durationMs }: RateLimit): Promise<number> {
    const answer = connection.eval(script, 1, `${prefix}:limit:${key}`, max, durationMs);
    return Number(await within(answerMs, answer));
  }

  async function wait(key: string, limit: RateLimit, signal: AbortSignal): Promise<void> {
    let awaySince: number | undefined;
    for (;;) {
      signal.throwIfAborted();
      let restMs: number;
      try {
        restMs = await ask(key, limit);
        awaySince = undefined;
      } catch (cause) {
        awaySince ??= Date.now();
        if (Date.now() - awaySince >= outageMs) throw unavailable("redis", "the rate limit is not known", cause);
        restMs = retryMs;
      }
      if (restMs === 0) return;
      await pause(restMs, signal);
    }
  }

  return {
    async acquire(key, limit, signal) {
      checkLimit(limit);
      const before = lines.get(key) ?? Promise.resolve();
      const turn = before.then(() => wait(key, limit, signal));
      const line = turn.catch(() => undefined);
      lines.set(key, line);
      void line.then(() => {
        if (lines.get(key) === line) lines.delete(key);
      });
      await Promise.race([turn, aborted(signal, turn)]);
    },
  };
}

function checkLimit({ max, durationMs }: RateLimit): void {
  for (const [field, value] of Object.entries({ max, durationMs })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new BatonError("invalid-configuration", `limiter ${field} is ${value}: use a whole number from 1 on.`);
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}

/** Rejects with the signal's reason; never settles otherwise, and listens no longer than `until` is open. */
function aborted(signal: AbortSignal, until: Promise<void>): Promise<never> {
  return new Promise((_resolve, reject) => {
    const listener = () => reject(signal.reason as Error);
    if (signal.aborted) listener();
    signal.addEventListener("abort", listener, { once: true });
    const leave = () => signal.removeEventListener("abort", listener);
    until.then(leave, leave);
  });
}
