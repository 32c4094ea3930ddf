/**
 * The two families of errors.
 *
 * Purpose: say with a stable code what went wrong (system errors), and let step code steer its own
 * attempt (steering errors). Boundary: no transport knows these classes by shape; apps map `code`
 * through `codes.ts` to HTTP, exit codes and protocols.
 *
 * 1. `code` never changes once released; messages may.
 * 2. A message names the field and the fix.
 * 3. The cause is kept.
 */
import type { ErrorCode } from "./codes.ts";

/** One problem inside a request body. `pointer` is an RFC 6901 JSON pointer; "" is the whole document. */
export interface FieldProblem {
  readonly pointer: string;
  readonly detail: string;
}

export interface BatonErrorOptions {
  readonly cause?: unknown;
  readonly problems?: readonly FieldProblem[];
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A system error: something Baton refuses or could not do, with a stable code. */
export class BatonError extends Error {
  readonly code: ErrorCode;
  readonly problems: readonly FieldProblem[];
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: BatonErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "BatonError";
    this.code = code;
    this.problems = options.problems ?? [];
    this.details = options.details ?? {};
  }
}

/** Steering: the step can never succeed; no further attempt is made. */
export class TerminalError extends Error {
  readonly code: string;
  /** False: the callee refused and did nothing, so that a person may let the call be made again. */
  readonly sent: boolean | undefined;
  constructor(message: string, options: { code?: string; sent?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TerminalError";
    this.code = options.code ?? "terminal";
    this.sent = options.sent;
  }
}

/** Steering: try again, not before `delayMs` from now (a provider's Retry-After). Counts as a failure. */
export class RetryAfter extends Error {
  readonly code: string;
  readonly delayMs: number;
  constructor(message: string, options: { delayMs: number; code?: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RetryAfter";
    this.code = options.code ?? "retry-after";
    this.delayMs = options.delayMs;
  }
}

/** Steering: give the slot back and wait (approval, event, timer, child) without a worker. */
export class Suspend extends Error {
  readonly code = "suspend";
  readonly waitFor: Readonly<Record<string, unknown>>;
  constructor(waitFor: Readonly<Record<string, unknown>>) {
    super("The step waits.");
    this.name = "Suspend";
    this.waitFor = waitFor;
  }
}
