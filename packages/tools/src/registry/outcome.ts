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
 *
 * Thousands of calls wait at once: only a tool with a time of its own gets a signal of its own.
 */
export function runGuarded<T>(guarded: GuardedCall, perform: (call: ToolCall) => Promise<T>): Promise<T> {
  const { tool, call, timeoutMs } = guarded;
  return new Promise<T>((resolve, reject) => {
    call.signal.throwIfAborted();
    const own = timeoutMs === undefined ? undefined : new AbortController();
    const signal = own?.signal ?? call.signal;
    let isSettled = false;
    const leave = (): void => {
      clearTimeout(timer);
      call.signal.removeEventListener("abort", onAbort);
    };
    const stop = (reason: Error): void => {
      leave();
      own?.abort(reason);
      reject(reason);
      // A call that ends with its signal has a turn to do so.
      queueMicrotask(() => {
        if (!isSettled) reportLate(guarded, work, signal);
      });
    };
    const onAbort = (): void => stop(call.signal.reason as Error);
    const settle = (): void => {
      isSettled = true;
      leave();
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => stop(timedOut(tool, timeoutMs)), timeoutMs);
    call.signal.addEventListener("abort", onAbort, { once: true });
    // What it throws at once is a rejection too.
    const work = new Promise<T>((begin) => begin(perform(own === undefined ? call : { ...call, signal })));
    work.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(signal.aborted ? (signal.reason as Error) : asToolError(tool, error));
      },
    );
  });
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

function asToolError(tool: string, error: unknown): Error {
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
