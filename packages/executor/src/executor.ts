/**
 * The executor: one attempt from claim to settled outcome.
 *
 * Purpose: turn a wake-up into claimed, prepared, performed, encoded and settled work, and follow the
 * continuations in the same slot. Boundary: it knows no step type (performers do), no queue (wake-ups are
 * handed in) and no table (the store's verbs are).
 *
 * 1. `performWakeUp` never rejects, and never settles an attempt twice with different outcomes.
 * 2. Every end of an attempt is one of a closed set (attempt/outcome.ts); every one but a lost lease settles.
 * 3. A continuation never waits while holding a place of the settle stage, so the ring of stages cannot lock.
 * 4. A step that may have killed workers is performed in a process of its own, where this process can have one.
 */
import type {
  AttemptCrash,
  AttemptNow,
  ClaimedStep,
  EffectResult,
  SettleAnswer,
  StopSignal,
  WakeUp,
} from "@baton/core/ports";
import { taskTopic } from "./attempt/context.ts";
import { createRunningAttempts } from "./attempt/running.ts";
import type { AttemptReport, RunningAttempt } from "./attempt/running.ts";
import { isIsolated, performAlone } from "./pipeline/alone.ts";
import type { Isolation } from "./pipeline/alone.ts";
import { settle } from "./pipeline/settle.ts";
import { createStage } from "./pipeline/stage.ts";
import { untilAnswered } from "./pipeline/patience.ts";
import { createWork, failPointOf } from "./pipeline/work.ts";
import type { WorkOptions } from "./pipeline/work.ts";

export interface ExecutorOptions extends WorkOptions {
  /** Whether a settle may claim a successor for the slot just freed; default true. */
  readonly continuation?: boolean;
  /** Aborted when the session's lease is gone: everything stops and nothing is settled. */
  readonly lost: AbortSignal;
  /** Absent where no further process can be started: then every step is performed in this one. */
  readonly isolation?: Isolation;
  /** Called when an attempt has started or ended here, before it may block. */
  readonly onAttemptsChanged?: () => void;
  /** Called after every settled outcome: successors may be ready now. */
  readonly onSettled?: (pool: string) => void;
}

export interface Executor {
  performWakeUp(wakeUp: WakeUp): Promise<void>;
  /** Aborts the running attempts of a task. */
  stopTask(signal: StopSignal): void;
  /** The attempts under way, abandoned ones included. */
  attempts(): readonly AttemptReport[];
  /** Unix ms since when the oldest claim or settlement under way waits for its answer; undefined when none does. */
  waitingSince(): number | undefined;
  /** The attempt to which the code belongs that asks, in the middle of whatever it does. */
  attemptNow(): AttemptNow | undefined;
  /**
   * Claims nothing more, lets attempts end, and after `graceMs` hands the rest back: within 2 s when the store answers,
   * whether their performers have heard of it or not. Resolves with the attempts that could not even be handed back.
   */
  drain(graceMs: number): Promise<readonly AttemptReport[]>;
}

export function createExecutor(options: ExecutorOptions): Executor {
  const { store, meter, log, slots, lost, monotonic, clock, random, isolation } = options;
  const stage = (name: string) => createStage({ name, width: slots, queue: slots, meter, monotonic });
  const stages = { claim: stage("claim"), settle: stage("settle") };
  const work = createWork(options);
  const { abandonAfterMs, onAttemptsChanged: onChanged } = options;
  const running = createRunningAttempts({ now: clock, abandonAfterMs, onChanged });
  let inFlightCount = 0;
  let idle: PromiseWithResolvers<boolean> | undefined;
  /** Resolves when nobody waits any more for performers that ignore their signal. */
  const leaving = Promise.withResolvers<void>();
  /** When each claim and settlement under way began. */
  const waits = new Set<{ readonly since: number }>();
  let draining = false;
  lost.addEventListener("abort", () => running.stopAll("session-lost"), { once: true });

  async function watched<T>(wait: () => Promise<T>): Promise<T> {
    const own = { since: clock() };
    waits.add(own);
    try {
      return await wait();
    } finally {
      waits.delete(own);
    }
  }

  async function claim(wakeUp: WakeUp): Promise<ClaimedStep | undefined> {
    const step = await watched(async () => {
      await options.failPoint?.("after-fetch", wakeUp);
      const ticket = await stages.claim.admit();
      return await ticket.run(async () => {
        if (draining || lost.aborted) return undefined;
        return await untilAnswered(() => store.claimStep(wakeUp), lost, log, "claim");
      });
    });
    meter.count("baton_claims_total", { result: step === undefined ? "empty" : "claimed" });
    return step;
  }

  /** One attempt; resolves to the continuation when the slot is free again. */
  async function performClaimed(step: ClaimedStep): Promise<ClaimedStep | undefined> {
    const failPoint = failPointOf(options.failPoint, step.ref);
    const own = isIsolated(step) ? isolation : undefined;
    const attempt = running.start(step, own === undefined);
    if (lost.aborted) attempt.stop("session-lost");
    try {
      await failPoint("after-claim");
      const worked = await (own === undefined ? work.perform(attempt) : performAlone(attempt, own, random));
      const outcome = "crash" in worked ? "crashed" : (worked.outcome?.outcome ?? "lost");
      meter.count("baton_attempts_total", { type: step.type, outcome });
      meter.observe("baton_attempt_ms", clock() - attempt.startedAt, { type: step.type });
      if ("crash" in worked) {
        await tellCrash(worked.crash);
        return undefined;
      }
      if (attempt.abandoned) reportAbandoned(attempt);
      if (worked.outcome === undefined || lost.aborted) {
        await keepEffects(step, worked.effects);
        await Promise.race([worked.ended, leaving.promise]);
        return undefined;
      }
      await failPoint("before-settle");
      const settling = await stages.settle.admit();
      const { usage, traces, effects } = worked;
      const mayContinue = (options.continuation ?? true) && !draining && !attempt.abandoned;
      const settlement = {
        ref: step.ref,
        attemptNo: step.attemptNo,
        outcome: worked.outcome,
        traces,
        mayContinue,
        task: step.task,
        ...(usage !== undefined && { usage }),
        ...(effects.length > 0 && { effects }),
      };
      const answer = await watched(() => settling.run(() => settle(store, settlement, lost, log)));
      if (answer === undefined) await keepEffects(step, effects);
      await failPoint("after-settle");
      announce(step, answer);
      if (attempt.abandoned) await Promise.race([worked.ended, leaving.promise]);
      return answer?.continuation;
    } finally {
      running.finish(attempt);
    }
  }

  async function tellCrash(crash: AttemptCrash): Promise<void> {
    const { ref, attemptNo, cause } = crash;
    const answer = await untilAnswered(() => store.crashAttempt(crash), lost, log, "crash");
    log.error("attempt-crashed", { ...ref, attemptNo, cause, isDeadLetter: answer?.isDeadLetter ?? false });
    if (answer?.isDeadLetter === true) meter.count("baton_dead_letters_total", { cause: "worker-crash" });
    options.live.publish(taskTopic(ref.taskId), { kind: "moved", stepId: ref.stepId });
  }

  /** What the attempt's calls did is kept also when its outcome is nobody's any more. */
  async function keepEffects({ ref }: ClaimedStep, effects: readonly EffectResult[]): Promise<void> {
    for (const result of effects) {
      try {
        await untilAnswered(() => store.finishEffect(ref, result), lost, log, "finish-effect");
      } catch (error) {
        log.error("effect-result-lost", { ...ref, callNo: result.callNo, error });
      }
    }
  }

  function announce(step: ClaimedStep, answer: SettleAnswer | undefined): void {
    meter.count("baton_settlements_total", { status: answer?.status ?? "lost" });
    if (answer === undefined || answer.status === "lease-lost") return;
    options.live.publish(taskTopic(step.ref.taskId), { kind: "moved", stepId: step.ref.stepId });
    options.onSettled?.(step.pool);
  }

  function reportAbandoned(attempt: RunningAttempt): void {
    meter.count("baton_attempts_abandoned_total", { type: attempt.step.type });
    log.warn("attempt-abandoned", {
      ...attempt.step.ref,
      attemptNo: attempt.step.attemptNo,
      reason: attempt.stopReason,
    });
  }

  /** False when wake-ups are still under way after `ms`. */
  async function endsWithin(ms: number): Promise<boolean> {
    if (inFlightCount === 0) return true;
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), ms);
    idle ??= Promise.withResolvers<boolean>();
    const ended = await Promise.race([idle.promise, late.promise]);
    clearTimeout(timer);
    return ended;
  }

  return {
    async performWakeUp(wakeUp) {
      inFlightCount += 1;
      try {
        for (let step = await claim(wakeUp); step !== undefined; step = await performClaimed(step));
      } catch (error) {
        meter.count("baton_wake_ups_failed_total");
        log.error("wake-up-failed", { ...wakeUp, error });
      } finally {
        inFlightCount -= 1;
        if (inFlightCount === 0) {
          idle?.resolve(true);
          idle = undefined;
        }
      }
    },
    stopTask: running.stopTask,
    attempts: running.report,
    attemptNow: work.attemptNow,
    waitingSince: () => waits.values().next().value?.since,
    async drain(graceMs) {
      draining = true;
      if (await endsWithin(graceMs)) return [];
      running.stopAll("shutdown");
      running.giveUpWithin(handBackMs);
      leaving.resolve();
      await endsWithin(handBackMs + settleGraceMs);
      return running.report();
    },
  };
}

/** How long a performer may ignore its signal when the process leaves. */
const handBackMs = 1_000;
/** From then to the settlements' answers. */
const settleGraceMs = 2_000;
