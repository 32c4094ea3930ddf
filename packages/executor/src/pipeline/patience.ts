import { setTimeout as delay } from "node:timers/promises";
import { BatonError } from "@baton/core";
import type { LogPort } from "@baton/core/ports";

const firstPauseMs = 50;
const longestPauseMs = 2_000;

function isUnavailable(error: unknown): boolean {
  return error instanceof BatonError && error.code === "store-unavailable";
}

/** Repeats `call` while the store is unavailable; undefined once `over` is aborted. It is tried once in any case. */
export async function untilAnswered<T>(
  call: () => Promise<T>,
  over: AbortSignal,
  log: LogPort,
  what: string,
): Promise<T | undefined> {
  let pauseMs = firstPauseMs;
  do {
    try {
      return await call();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      log.warn("store-unavailable", { what, retryInMs: pauseMs, error });
    }
    // Rejects only when the session is over, and then the loop ends.
    await delay(pauseMs, undefined, { signal: over, ref: false }).catch(() => undefined);
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  } while (!over.aborted);
  return undefined;
}
