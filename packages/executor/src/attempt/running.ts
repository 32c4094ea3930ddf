/**
 * The attempts that run in this process, and what can stop them.
 *
 * 1. Every attempt has one signal; the first reason that stops it is the one that counts.
 * 2. A cancel that overtakes the answer of a claim stops the attempt when it starts: its step is no longer
 *    running in PostgreSQL, so no beat would repeat the signal.
 * 3. An attempt leaves the list when its performer has ended, not when it was told to.
 * 4. One that ignores its signal for 5 s is given up; sooner when its process is about to leave.
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

const defaultAbandonAfterMs = 5_000;

export class RunningAttempt {
  readonly step: ClaimedStep;
  readonly startedAt: number;
  deadlineAt = Number.POSITIVE_INFINITY;
  stopReason: StopReason | undefined;
  abandoned = false;
  /** Called when it was told to stop and has not for too long; by then that may have happened already. */
  onGivenUp: (() => void) | undefined;
  isGivenUp = false;
  readonly #now: () => number;
  readonly #abandonAfterMs: number;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(step: ClaimedStep, now: () => number, abandonAfterMs = defaultAbandonAfterMs) {
    this.step = step;
    this.startedAt = now();
    this.#now = now;
    this.#abandonAfterMs = abandonAfterMs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Its time runs from now on. */
  begin(): void {
    if (this.stopReason !== undefined) return;
    const { timeoutMs } = this.step;
    this.deadlineAt = this.#now() + timeoutMs;
    this.#timer = setTimeout(() => this.stop("deadline"), timeoutMs);
  }

  stop(reason: StopReason): void {
    if (this.stopReason !== undefined) return;
    this.stopReason = reason;
    clearTimeout(this.#timer);
    this.giveUpWithin(this.#abandonAfterMs);
    this.#controller.abort(this.#errorOf(reason));
  }

  /** Shortens the patience with an attempt that was told to stop. */
  giveUpWithin(ms: number): void {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      this.isGivenUp = true;
      this.onGivenUp?.();
    }, ms);
  }

  end(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#patience);
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
  /** `begins`: its time runs at once, and not only when it has found a process of its own. */
  start(step: ClaimedStep, begins: boolean): RunningAttempt;
  finish(attempt: RunningAttempt): void;
  stopTask(signal: StopSignal): void;
  stopAll(reason: StopReason): void;
  /** Whoever was told to stop has this much time left. */
  giveUpWithin(ms: number): void;
  report(): readonly AttemptReport[];
}

export interface RunningOptions {
  readonly now: () => number;
  readonly abandonAfterMs?: number | undefined;
  readonly onChanged?: (() => void) | undefined;
}

export function createRunningAttempts({ now, abandonAfterMs, onChanged }: RunningOptions): RunningAttempts {
  const running = new Set<RunningAttempt>();
  const cancelled = new Set<string>();
  return {
    start(step, begins) {
      const attempt = new RunningAttempt(step, now, abandonAfterMs);
      if (begins) attempt.begin();
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
    giveUpWithin(ms) {
      for (const attempt of running) if (attempt.stopReason !== undefined) attempt.giveUpWithin(ms);
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
