import { BatonError, RetryAfter, Suspend, TerminalError } from "@baton/core";
import type { ToolCall } from "@baton/core/ports";

/** A call that ended after its caller had stopped waiting (abort, timeout). */
export interface LateOutcome {
  readonly tool: string;
  readonly idempotencyKey: string;
  readonly attemptNo: number;
  readonly output?: unknown;
  readonly error?: unknown;
  /** It heard of its abort, and ended with that: what it did until then stays unknown. */
  readonly isAbort?: boolean;
}

export interface GuardedCall {
  readonly tool: string;
  readonly call: ToolCall;
  readonly timeoutMs: number | undefined;
  readonly onLate: (late: LateOutcome) => void;
}

/**
 * Runs `perform` until it settles, the caller aborts or the tool's own time is over, whichever is
 * first. A tool that ignores its signal cannot hold the attempt: what it still does is reported late.
 */
export async function runGuarded<T>(guarded: GuardedCall, perform: (call: ToolCall) => Promise<T>): Promise<T> {
  const { tool, call, timeoutMs } = guarded;
  call.signal.throwIfAborted();
  const timeout = new AbortController();
  const timer =
    timeoutMs === undefined ? undefined : setTimeout(() => timeout.abort(timedOut(tool, timeoutMs)), timeoutMs);
  const signal = AbortSignal.any([call.signal, timeout.signal]);
  const end = Promise.withResolvers<never>();
  const onAbort = () => end.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const work = (async () => perform({ ...call, signal }))();
  let settled = false;
  const settle = () => {
    settled = true;
  };
  work.then(settle, settle);
  try {
    return await Promise.race([work, end.promise]);
  } catch (error) {
    if (!settled) reportLate(guarded, work, signal);
    if (signal.aborted) throw signal.reason;
    throw asToolError(tool, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

function reportLate({ tool, call, onLate }: GuardedCall, work: Promise<unknown>, signal: AbortSignal): void {
  const { idempotencyKey, attemptNo } = call;
  work.then(
    (output) => onLate({ tool, idempotencyKey, attemptNo, output }),
    (error: unknown) => {
      const isTheAbort = error === signal.reason || (error instanceof Error && error.name === "AbortError");
      onLate({ tool, idempotencyKey, attemptNo, error, ...(isTheAbort && { isAbort: true }) });
    },
  );
}

function timedOut(tool: string, timeoutMs: number): BatonError {
  return new BatonError("tool-failed", `Tool "${tool}" did not end within its timeoutMs of ${timeoutMs}.`, {
    details: { timedOut: true, timeoutMs },
  });
}

function asToolError(tool: string, error: unknown): unknown {
  const speaksForItself =
    error instanceof BatonError ||
    error instanceof TerminalError ||
    error instanceof RetryAfter ||
    error instanceof Suspend;
  if (speaksForItself) return error;
  return new BatonError("tool-failed", `Tool "${tool}" failed: ${messageOf(error)}`, { cause: error });
}

/** Anything can be thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === "string" ? error : `a thrown ${typeof error}`;
}
