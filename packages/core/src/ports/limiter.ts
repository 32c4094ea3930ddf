/**
 * The port to the rate limiter that all workers share.
 *
 * Purpose: keep the model calls of every process together below a provider's rate.
 * Boundary: it paces; it does not count tokens or money, and it forgets after `durationMs`.
 *
 * 1. At most `max` acquisitions of one key in any span of `durationMs`, by the backend's clock.
 * 2. Callers of one process are served in the order they came.
 */
export interface RateLimit {
  readonly max: number;
  readonly durationMs: number;
}

export interface RateLimiter {
  /**
   * Resolves when the caller may go on. Rejects with the signal's reason when it is aborted, and with
   * `queue-unavailable` when the backend stays away.
   */
  acquire(key: string, limit: RateLimit, signal: AbortSignal): Promise<void>;
}
