/**
 * An attempt in a process that it has to itself, from both sides.
 *
 * Purpose: a step that may have killed workers is performed where it can only kill itself. Boundary: how processes start
 * and talk is whoever's implements `Isolation`; here is what an attempt's end there means.
 *
 * 1. A process that is gone without an answer is a crash of the step, unless it was ended because the attempt was told
 *    to stop: then the stop decides.
 * 2. A process that could not be started is no crash: the step has not begun. It counts as a failure.
 */
import { isolatedFrom } from "@baton/core/lifecycle";
import type { AttemptCrash, ClaimedStep } from "@baton/core/ports";
import { RunningAttempt } from "../attempt/running.ts";
import type { StopReason } from "../attempt/running.ts";
import { encodeOutcome } from "./encode.ts";
import { endOfStop } from "./perform.ts";
import { createWork } from "./work.ts";
import type { AttemptRecord, Worked, WorkOptions } from "./work.ts";

export interface IsolatedAttempt {
  readonly step: ClaimedStep;
  /** Aborted when the attempt is told to stop; `stopReason` says why. */
  readonly signal: AbortSignal;
  readonly stopReason: StopReason | undefined;
  /** Called when it has ignored its signal for too long. */
  onGivenUp: (() => void) | undefined;
  /** The process is there and begins: the step's time runs from now on. */
  begin(): void;
}

export type IsolatedEnd =
  | { readonly end: "answered"; readonly record: AttemptRecord; readonly pid: number }
  /** It was told to stop, and did not answer in time. */
  | { readonly end: "stopped"; readonly pid: number | undefined }
  | { readonly end: "died"; readonly how: string; readonly pid: number }
  | { readonly end: "not-started"; readonly error: unknown };

export interface Isolation {
  /** Never rejects. */
  perform(attempt: IsolatedAttempt): Promise<IsolatedEnd>;
}

export const isIsolated = ({ crashCount }: ClaimedStep): boolean => crashCount >= isolatedFrom;

export type WorkedAlone = Worked | { readonly crash: AttemptCrash };

export async function performAlone(
  attempt: RunningAttempt,
  isolation: Isolation,
  random: () => number,
): Promise<WorkedAlone> {
  const { step } = attempt;
  const { crashCount, ref, attemptNo } = step;
  const ended = Promise.resolve();
  const without = (outcome: Worked["outcome"]): Worked => ({
    outcome,
    usage: undefined,
    traces: [],
    effects: [],
    ended,
  });
  const done = await isolation.perform(attempt);
  attempt.end();
  const told = (pid: number) => ({ type: "attempt-isolated", data: { pid, crashCount } });
  switch (done.end) {
    case "answered": {
      const { record, pid } = done;
      return { ...record, traces: [told(pid), ...record.traces], ended };
    }
    case "not-started":
      return without(encodeOutcome(step, { end: "failed", error: done.error }, undefined, random));
    case "stopped": {
      const outcome = encodeOutcome(step, endOfStop(attempt), undefined, random);
      return { ...without(outcome), traces: done.pid === undefined ? [] : [told(done.pid)] };
    }
    case "died": {
      const message = `Attempt ${attemptNo}, alone in process ${done.pid}, ${done.how}`;
      return { crash: { ref, attemptNo, cause: { name: "ProcessDied", message }, traces: [told(done.pid)] } };
    }
  }
}

/** The other side: performs the one attempt that this process was started for. */
export interface OnlyAttempt {
  stop(reason: StopReason): void;
  readonly worked: Promise<Worked>;
}

export function performOnly(options: Omit<WorkOptions, "slots">, step: ClaimedStep): OnlyAttempt {
  const attempt = new RunningAttempt(step, options.clock, options.abandonAfterMs);
  attempt.begin();
  const work = createWork({ ...options, slots: 1 });
  return { stop: (reason) => attempt.stop(reason), worked: work.perform(attempt) };
}
