/**
 * The stage `perform`: runs the performer until it ends, or until it has ignored its signal for too long.
 *
 * 1. What a performer returned counts, also when it was told to stop meanwhile; only a lost session's does not.
 * 2. A performer that ignores its signal is abandoned: the attempt settles, the slot stays taken until `ended`.
 * 3. At the deadline the deadline is the failure, unless a call to the outside is in doubt: that weighs more.
 */
import { BatonError } from "@baton/core";
import type { Performed, PerformContext, Performer } from "@baton/core/ports";
import type { AttemptEnd } from "../attempt/outcome.ts";
import type { RunningAttempt } from "../attempt/running.ts";

export interface PerformedAttempt {
  readonly end: AttemptEnd;
  readonly ended: Promise<void>;
}

type WorkEnd = { readonly performed: Performed } | { readonly error: unknown };

export async function performAttempt(
  attempt: RunningAttempt,
  performer: Performer,
  context: PerformContext,
): Promise<PerformedAttempt> {
  if (attempt.signal.aborted) return { end: endOfStop(attempt), ended: Promise.resolve() };
  const { promise, resolve } = Promise.withResolvers<WorkEnd | undefined>();
  attempt.onGivenUp = () => resolve(undefined);
  if (attempt.isGivenUp) resolve(undefined);
  // What it throws at once is a rejection too.
  const ended = new Promise<Performed>((begin) => begin(performer(context))).then(
    (performed) => resolve({ performed }),
    (error: unknown) => resolve({ error }),
  );
  const first = await promise;
  if (first === undefined) {
    attempt.abandoned = true;
    return { end: endOfStop(attempt), ended };
  }
  if (attempt.stopReason === "session-lost") return { end: { end: "lost" }, ended };
  if ("performed" in first) return { end: { end: "performed", performed: first.performed }, ended };
  const leavesDoubt = first.error instanceof BatonError && first.error.code === "effect-unknown";
  if (attempt.stopReason !== undefined && !(attempt.stopReason === "deadline" && leavesDoubt)) {
    return { end: endOfStop(attempt), ended };
  }
  return { end: { end: "failed", error: first.error }, ended };
}

export function endOfStop(attempt: RunningAttempt): AttemptEnd {
  const reason = attempt.stopReason ?? "shutdown";
  if (reason === "deadline") return { end: "failed", error: attempt.signal.reason };
  return reason === "session-lost" ? { end: "lost" } : { end: "stopped", reason };
}
