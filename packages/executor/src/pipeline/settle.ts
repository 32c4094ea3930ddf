/**
 * The stage `settle`: records the outcome and gets the continuation.
 *
 * 1. An answer that did not come is asked for again: the store gives the same answer to the same attempt.
 *    It is given up only when the session is lost; then the outcome is somebody else's to make.
 * 2. An outcome that the store refuses is replaced by a dead letter that says so; it never disappears.
 */
import type { EngineStore, LogPort, SettleAnswer, Settlement } from "@baton/core/ports";
import { storeRefused } from "../attempt/outcome.ts";
import { untilAnswered } from "./patience.ts";

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
      ...(settlement.task !== undefined && { task: settlement.task }),
      ...(settlement.effects !== undefined && { effects: settlement.effects }),
    };
    return await untilAnswered(() => store.settleAttempt(replacement), lost, log, "settle");
  }
}
