/**
 * The attempts that run in this process, and what can stop them.
 *
 * 1. Every attempt has one signal; the first reason that stops it is the one that counts.
 * 2. A cancel that overtakes the answer of a claim stops the attempt when it starts: its step is no longer
 *    running in PostgreSQL, so no beat would repeat the signal.
 * 3. An attempt leaves the list when its performer has ended, not when it was told to.
 */
import { BatonError } from "@baton/core";
import type { StepRef } from "@baton/core";
import type { ClaimedStep, StopSignal } from "@baton/core/ports";

/** Why an attempt was told to stop. */
export type StopReason = StopSignal["reason"] | "deadline" | "shutdown" | "session-lost";

export interface AttemptReport {
  readonly ref: StepRef;
  readonly key: string;
  readonly attemptNo: number;
  /** Unix ms. */
  readonly startedAt: number;
  /** Unix ms; an attempt past it by 5 s on a blocked main thread ends the process. */
  readonly deadlineAt: number;
  /** `abandoned`: told to stop, did not, and still holds its slot. */
  readonly state: "running" | "stopping" | "abandoned";
}

export class RunningAttempt {
  readonly step: ClaimedStep;
  readonly startedAt: number;
  readonly deadlineAt: number;
  stopReason: StopReason | undefined;
  abandoned = false;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(step: ClaimedStep, startedAt: number) {
    this.step = step;
    this.startedAt = startedAt;
    this.deadlineAt = startedAt + step.timeoutMs;
    this.#timer = setTimeout(() => this.stop("deadline"), step.timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(reason: StopReason): void {
    if (this.stopReason !== undefined) return;
    this.stopReason = reason;
    clearTimeout(this.#timer);
    this.#controller.abort(this.#errorOf(reason));
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  report(): AttemptReport {
    const state = this.abandoned ? "abandoned" : this.stopReason === undefined ? "running" : "stopping";
    const { step, startedAt, deadlineAt } = this;
    return { ref: step.ref, key: step.key, attemptNo: step.attemptNo, startedAt, deadlineAt, state };
  }

  #errorOf(reason: StopReason): Error {
    if (reason === "deadline") {
      const { key, timeoutMs } = this.step;
      const message = `Step "${key}" did not end within its timeout_ms of ${timeoutMs}. Raise timeout_ms or make the step smaller.`;
      return new BatonError("deadline-exceeded", message);
    }
    if (reason === "session-lost") return new BatonError("lease-lost", "This worker's session lost its lease.");
    return new BatonError("cancelled", `The attempt was stopped: ${reason}.`);
  }
}

export interface RunningAttempts {
  start(step: ClaimedStep): RunningAttempt;
  finish(attempt: RunningAttempt): void;
  stopTask(signal: StopSignal): void;
  stopAll(reason: StopReason): void;
  report(): readonly AttemptReport[];
}

export function createRunningAttempts(now: () => number, onChanged?: () => void): RunningAttempts {
  const running = new Set<RunningAttempt>();
  const cancelled = new Set<string>();
  return {
    start(step) {
      const attempt = new RunningAttempt(step, now());
      running.add(attempt);
      onChanged?.();
      if (cancelled.has(step.ref.taskId)) attempt.stop("cancel");
      return attempt;
    },
    finish(attempt) {
      attempt.end();
      running.delete(attempt);
      onChanged?.();
    },
    stopTask({ taskId, reason }) {
      if (reason === "cancel") remember(cancelled, taskId);
      for (const attempt of running) if (attempt.step.ref.taskId === taskId) attempt.stop(reason);
    },
    stopAll(reason) {
      for (const attempt of running) attempt.stop(reason);
    },
    report: () => [...running].map((attempt) => attempt.report()),
  };
}

/** A cancelled task never runs again, and a claim's answer is seconds old at most. */
const maxRemembered = 1_000;

function remember(cancelled: Set<string>, taskId: string): void {
  cancelled.add(taskId);
  const oldest = cancelled.size > maxRemembered ? cancelled.values().next().value : undefined;
  if (oldest !== undefined) cancelled.delete(oldest);
}
