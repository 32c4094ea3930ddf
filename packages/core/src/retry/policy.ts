/**
 * When a failed step is tried again.
 *
 * Purpose: the arithmetic of retrying. Boundary: no clock and no random; both are handed in, and who
 * counts the failures (`failure_count`, never `attempt_no`) is the store.
 *
 * 1. Full jitter: the wait is uniform in [0, min(cap, base × factor^(failures−1))], the shape with the
 *    least total work under contention (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015).
 * 2. A callee's Retry-After is a floor under the jittered wait, up to `maxRetryAfterMs`.
 * 3. This is the only retry layer: the SDKs' own retries are off.
 */
import type { RetryPolicySpec } from "../plan/spec.ts";

export interface RetryPolicy {
  /** Failures until the step is out of attempts, the first one included. */
  readonly maxAttempts: number;
  readonly baseMs: number;
  readonly factor: number;
  readonly capMs: number;
}

/**
 * Four attempts over at most 42 s (21 s on average): outlasts the usual overload of a model provider, and
 * a step that cannot succeed is still seen within a minute.
 */
export const defaultRetryPolicy: RetryPolicy = { maxAttempts: 4, baseMs: 2_000, factor: 4, capMs: 60_000 };

/** The longest Retry-After that is obeyed; a callee that says "tomorrow" is asked again after an hour. */
export const maxRetryAfterMs = 3_600_000;

/** The policy after every layer has had its say, weakest first: `resolveRetryPolicy(task, step)`. */
export function resolveRetryPolicy(...layers: readonly (RetryPolicySpec | undefined)[]): RetryPolicy {
  let policy = defaultRetryPolicy;
  for (const layer of layers) {
    policy = {
      maxAttempts: layer?.max_attempts ?? policy.maxAttempts,
      baseMs: layer?.base_ms ?? policy.baseMs,
      factor: layer?.factor ?? policy.factor,
      capMs: layer?.cap_ms ?? policy.capMs,
    };
  }
  return policy;
}

/**
 * The wait before the next attempt, in whole milliseconds.
 * @param failureCount failures so far, the one just seen included (1 after the first failure)
 * @param random01 uniform in [0, 1)
 */
export function nextDelayMs(
  policy: RetryPolicy,
  failureCount: number,
  random01: number,
  retryAfterMs?: number,
): number {
  // Bounded before the multiplication: a base of 0 times an infinite growth is not a number.
  const growth = Math.min(Number.MAX_VALUE, policy.factor ** Math.max(0, failureCount - 1));
  const jittered = Math.floor(random01 * Math.min(policy.capMs, policy.baseMs * growth));
  const floor = Math.ceil(Math.min(maxRetryAfterMs, Math.max(0, retryAfterMs ?? 0)));
  return Math.max(jittered, floor);
}
