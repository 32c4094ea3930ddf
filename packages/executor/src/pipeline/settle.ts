/**
 * The stage `settle`: records the outcome and gets the continuation.
 *
 * 1. An answer that did not come is asked for again: the store gives the same answer to the same attempt.
 *    It is given up only when the session is lost; then the outcome is somebody else's to make.
 * 2. An outcome that the store refuses is replaced by a dead letter that says so; it never disappears.
 */
import { setTimeout as delay } from "node:timers/promises";
import { BatonError } from "@baton/core";
import type { EngineStore, LogPort, SettleAnswer, Settlement } from "@baton/core/ports";
import { storeRefused } from "../attempt/outcome.ts";

const firstPauseMs = 50;
const longestPauseMs = 2_000;

export function isUnavailable(error: unknown): boolean {
  return error instanceof BatonError && error.code === "store-unavailable";
}

/** Repeats `call` while the store is unavailable; undefined once `lost` is aborted. */
export async function untilAnswered<T>(
  call: () => Promise<T>,
  lost: AbortSignal,
  log: LogPort,
  what: string,
): Promise<T | undefined> {
  for (let pauseMs = firstPauseMs; !lost.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    try {
      return await call();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      log.warn("store-unavailable", { what, retryInMs: pauseMs, error });
    }
    // Rejects only when the session is lost, and then the loop ends.
    await delay(pauseMs, undefined, { signal: lost, ref: false }).catch(() => undefined);
  }
  return undefined;
}

export async function settle(
  store: Pick<EngineStore, "settleAttempt">,
  settlement: Settlement,
  lost: AbortSignal,
  log: LogPort,
): Promise<SettleAnswer | undefined> {
  try {
    return await untilAnswered(() => store.settleAttempt(settlement), lost, log, "settle");
  } catch (cause) {
    const { ref, attemptNo } = settlement;
    log.error("outcome-refused", { ...ref, attemptNo, outcome: settlement.outcome.outcome, error: cause });
    const replacement: Settlement = {
      ref,
      attemptNo,
      outcome: storeRefused(cause),
      traces: [],
      mayContinue: settlement.mayContinue,
    };
    return await untilAnswered(() => store.settleAttempt(replacement), lost, log, "settle");
  }
}
