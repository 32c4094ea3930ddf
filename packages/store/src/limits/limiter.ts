/** The shared limiter of model calls where Redis is absent; see acquire.sql. */
import type { RateLimit, RateLimiter } from "@baton/core/ports";
import type { Connections } from "../connection/pools.ts";

export function createPostgresLimiter(connections: Connections): RateLimiter {
  // Callers of one process go one after the other, in the order they came.
  const turns = new Map<string, Promise<void>>();
  const wait = async (key: string, limit: RateLimit, signal: AbortSignal): Promise<void> => {
    for (;;) {
      signal.throwIfAborted();
      const rows = await connections.engine<{ waitMs: number }>(`select baton_v1.acquire($1, $2, $3) as "waitMs"`, [
        key,
        limit.max,
        limit.durationMs,
      ]);
      const waitMs = rows[0]?.waitMs ?? 0;
      if (waitMs <= 0) return;
      await pause(waitMs, signal);
    }
  };
  return {
    acquire: async (key, limit, signal) => {
      const earlier = turns.get(key) ?? Promise.resolve();
      const turn = earlier.then(() => wait(key, limit, signal));
      // The next caller's turn comes whether or not this one was aborted.
      const settled = turn.then(
        () => undefined,
        () => undefined,
      );
      turns.set(key, settled);
      try {
        await turn;
      } finally {
        if (turns.get(key) === settled) turns.delete(key);
      }
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
