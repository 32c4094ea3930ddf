import type { ErrorCode } from "../errors/codes.ts";

/**
 * Every way in which a call of a model ends without an answer, and whether another model of the chain is asked then.
 *
 * `outcomeOfCode` says what becomes of the step where no other model is left. Another model is asked where this one is not
 * to be had, or will not answer; not where the request itself is at fault, nor where an answer broke off, since watchers
 * have seen its beginning.
 */
export const fallsBackOn = {
  "provider-open": true,
  "provider-throttled": true,
  "provider-rate-limited": true,
  "provider-unavailable": true,
  "provider-spend-limit": true,
  "provider-auth": true,
  "model-refused": true,
  "output-cut": false,
  "output-invalid": false,
  "provider-rejected": false,
  "context-too-large": false,
  "unknown-model": false,
  "offline-cannot-plan": false,
  "offline-cannot-answer": false,
} as const satisfies Partial<Record<ErrorCode, boolean>>;

export const isFallBackCode = (code: string): boolean =>
  Object.hasOwn(fallsBackOn, code) && fallsBackOn[code as keyof typeof fallsBackOn];
