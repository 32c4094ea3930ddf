/**
 * From how an attempt ended to what is settled. The ends and the outcomes are closed sets.
 *
 * 1. An attempt that somebody else has decided about (lease lost) settles nothing.
 * 2. A stop that is nobody's fault (shutdown, pause, a failed sibling, cancel) counts no failure, nor does a call that
 *    was not let through to its provider.
 */
import { BatonError } from "@baton/core";
import type { ClaimedStep, Outcome, Performed, StepError } from "@baton/core/ports";
import { classifyError, nextDelayMs, resolveRetryPolicy, shouldRetry } from "@baton/core/retry";
import type { ErrorClassification } from "@baton/core/retry";
import type { StopReason } from "./running.ts";

export type AttemptEnd =
  | { readonly end: "performed"; readonly performed: Performed }
  | { readonly end: "failed"; readonly error: unknown }
  | { readonly end: "stopped"; readonly reason: Exclude<StopReason, "deadline" | "session-lost"> }
  | { readonly end: "lost" };

/** What became of a thrown error, or nothing when the attempt was somebody else's by then. */
export function failureOutcome(step: ClaimedStep, error: unknown, random01: number): Outcome | undefined {
  const found = classifyError(error);
  if (found.code === "lease-lost") return undefined;
  const stepError = stepErrorOf(found);
  if (found.outcome === "wait")
    return { outcome: "released", reason: found.code, delayMs: found.retryAfterMs ?? 1_000, error: stepError };
  // An abort that this process did not ask for (a library's own controller) is a failure like any other.
  const mayRetry = found.outcome === "aborted" || asksAgain(error);
  const judged = mayRetry ? { ...found, outcome: "retry" as const } : found;
  const policy = resolveRetryPolicy(step.task.settings.retry, step.retry);
  const failureCount = step.failureCount + 1;
  if (!shouldRetry(judged, policy, failureCount)) {
    return { outcome: found.outcome === "hold" ? "held" : "exhausted", error: stepError };
  }
  return {
    outcome: "retry-later",
    error: stepError,
    delayMs: nextDelayMs(policy, failureCount, random01, found.retryAfterMs),
  };
}

/** A further attempt makes no call again, it asks the tool after the one in doubt. */
function asksAgain(error: unknown): boolean {
  return error instanceof BatonError && error.code === "effect-unknown" && error.details["askAgain"] === true;
}

function stepErrorOf({ outcome, code, message, causeChain }: ErrorClassification): StepError {
  const told =
    outcome === "suspend"
      ? "The step asked to wait (Suspend), which this version cannot do. Poll inside the step, or split it."
      : message;
  return { code, message: told, causes: causeChain };
}

/** An output that could not be stored as it is. */
export function storeRefused(cause: unknown): Outcome {
  return {
    outcome: "exhausted",
    error: stepErrorOf(classifyError(new BatonError("internal", "The store refused the step's outcome.", { cause }))),
  };
}
