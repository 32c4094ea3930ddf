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
 */
import type {
  ClaimedStep,
  EngineStore,
  FailPoint,
  LivePort,
  LogPort,
  MeterPort,
  ModelPort,
  Performer,
  RateLimiter,
  SettleAnswer,
  StepType,
  StopSignal,
  WakeUp,
} from "@baton/core/ports";
import { createAccount } from "./attempt/account.ts";
import type { Account } from "./attempt/account.ts";
import { createContext, taskTopic } from "./attempt/context.ts";
import type { AttemptEnd } from "./attempt/outcome.ts";
import { createRunningAttempts } from "./attempt/running.ts";
import type { AttemptReport, RunningAttempt } from "./attempt/running.ts";
import { encodeOutcome } from "./pipeline/encode.ts";
import { performAttempt } from "./pipeline/perform.ts";
import { prepareStep } from "./pipeline/prepare.ts";
import type { Prepared } from "./pipeline/prepare.ts";
import { settle } from "./pipeline/settle.ts";
import { createStage } from "./pipeline/stage.ts";
import type { Ticket } from "./pipeline/stage.ts";
import { untilAnswered } from "./pipeline/patience.ts";

export type Performers = Readonly<Record<StepType, Performer>>;

export interface ExecutorOptions {
  readonly store: EngineStore;
  readonly live: LivePort;
  readonly models: ModelPort;
  /** Paces the calls of a task that has a limiter of its own. */
  readonly limiter: RateLimiter;
  readonly performers: Performers;
  readonly meter: MeterPort;
  readonly log: LogPort;
  /** How many wake-ups may be performed at once. */
  readonly slots: number;
  /** Whether a settle may claim a successor for the slot just freed; default true. */
  readonly continuation?: boolean;
  /** Aborted when the session's lease is gone: everything stops and nothing is settled. */
  readonly lost: AbortSignal;
  /** Unix ms. */
  readonly clock: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** How long a performer may ignore its signal; default 5,000 ms. */
  readonly abandonAfterMs?: number;
  /** Called when an attempt has started or ended here, before it may block. */
  readonly onAttemptsChanged?: () => void;
  /** Called after every settled outcome: successors may be ready now. */
  readonly onSettled?: (pool: string) => void;
  /** Fault tests stop the process here; absent in production. */
  readonly failPoint?: (
    name: FailPoint,
    ref: { readonly taskId: string; readonly stepId: string },
  ) => void | Promise<void>;
}

export interface Executor {
  performWakeUp(wakeUp: WakeUp): Promise<void>;
  /** Aborts the running attempts of a task. */
  stopTask(signal: StopSignal): void;
  /** The attempts under way, abandoned ones included. */
  attempts(): readonly AttemptReport[];
  /**
   * Claims nothing more, lets attempts end, and after `graceMs` hands the rest back. Resolves when every
   * attempt has settled or been abandoned, with the attempts that did not end.
   */
  drain(graceMs: number): Promise<readonly AttemptReport[]>;
}

export function createExecutor(options: ExecutorOptions): Executor {
  const { store, meter, log, slots, lost, monotonic, clock, random } = options;
  const stage = (name: string, width: number) => createStage({ name, width, queue: slots, meter, monotonic });
  const stages = {
    claim: stage("claim", slots),
    // Reading and encoding hold whole outputs in memory, up to 32 MB each.
    prepare: stage("prepare", Math.min(slots, 8)),
    perform: stage("perform", slots),
    encode: stage("encode", Math.min(slots, 4)),
    settle: stage("settle", slots),
  };
  const running = createRunningAttempts(clock, options.onAttemptsChanged);
  const inFlight = new Set<Promise<void>>();
  let draining = false;
  lost.addEventListener("abort", () => running.stopAll("session-lost"), { once: true });

  const failPointOf = (ref: { taskId: string; stepId: string }) => async (name: FailPoint) =>
    options.failPoint?.(name, ref);

  async function claim(wakeUp: WakeUp): Promise<ClaimedStep | undefined> {
    await failPointOf(wakeUp)("after-fetch");
    const ticket = await stages.claim.admit();
    const step = await ticket.run(async () => {
      if (draining || lost.aborted) return undefined;
      return await untilAnswered(() => store.claimStep(wakeUp), lost, log, "claim");
    });
    meter.count("baton_claims_total", { result: step === undefined ? "empty" : "claimed" });
    return step;
  }

  /** Prepares and performs; whatever is thrown on the way is the attempt's failure. */
  async function workOn(
    attempt: RunningAttempt,
    account: Account,
  ): Promise<{ end: AttemptEnd; prepared?: Prepared; ended: Promise<void> }> {
    const { step } = attempt;
    const failPoint = failPointOf(step.ref);
    try {
      const preparing = await stages.prepare.admit();
      const [prepared, performing] = await preparing.run(
        async (): Promise<[Prepared, Ticket]> => [await prepareStep(step, store), await stages.perform.admit()],
      );
      const context = createContext({
        attempt,
        prepared,
        account,
        models: options.models,
        limiter: options.limiter,
        live: options.live,
        clock,
        failPoint,
      });
      const performer = options.performers[step.type];
      const done = await performing.run(() =>
        performAttempt(attempt, performer, context, options.abandonAfterMs ?? 5_000),
      );
      return { ...done, prepared };
    } catch (error) {
      return { end: { end: "failed", error }, ended: Promise.resolve() };
    }
  }

  /** One attempt; resolves to the continuation when the slot is free again. */
  async function performClaimed(step: ClaimedStep): Promise<ClaimedStep | undefined> {
    const failPoint = failPointOf(step.ref);
    const attempt = running.start(step);
    if (lost.aborted) attempt.stop("session-lost");
    const account = createAccount();
    try {
      await failPoint("after-claim");
      const { end, prepared, ended } = await workOn(attempt, account);
      attempt.end();
      account.close();
      if (attempt.abandoned) reportAbandoned(attempt);
      const encoding = await stages.encode.admit();
      const outcome = await encoding.run(async () => encodeOutcome(step, end, prepared, random));
      meter.count("baton_attempts_total", { type: step.type, outcome: outcome?.outcome ?? "lost" });
      meter.observe("baton_attempt_ms", clock() - attempt.startedAt, { type: step.type });
      if (outcome === undefined || lost.aborted) {
        await keepEffects(step, account);
        await ended;
        return undefined;
      }
      await failPoint("before-settle");
      const settling = await stages.settle.admit();
      const { usage, traces, effects } = account;
      const mayContinue = (options.continuation ?? true) && !draining && !attempt.abandoned;
      const settlement = {
        ref: step.ref,
        attemptNo: step.attemptNo,
        outcome,
        traces,
        mayContinue,
        ...(usage !== undefined && { usage }),
        ...(effects.length > 0 && { effects }),
      };
      const answer = await settling.run(() => settle(store, settlement, lost, log));
      if (answer === undefined) await keepEffects(step, account);
      await failPoint("after-settle");
      announce(step, answer);
      if (attempt.abandoned) await ended;
      return answer?.continuation;
    } finally {
      running.finish(attempt);
    }
  }

  /** What the attempt's calls did is kept also when its outcome is nobody's any more. */
  async function keepEffects({ ref }: ClaimedStep, { effects }: Account): Promise<void> {
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

  async function follow(wakeUp: WakeUp): Promise<void> {
    try {
      for (let step = await claim(wakeUp); step !== undefined; step = await performClaimed(step));
    } catch (error) {
      meter.count("baton_wake_ups_failed_total");
      log.error("wake-up-failed", { ...wakeUp, error });
    }
  }

  return {
    async performWakeUp(wakeUp) {
      const work = follow(wakeUp);
      inFlight.add(work);
      await work;
      inFlight.delete(work);
    },
    stopTask: running.stopTask,
    attempts: running.report,
    async drain(graceMs) {
      draining = true;
      if (await endsWithin(inFlight, graceMs)) return [];
      running.stopAll("shutdown");
      await endsWithin(inFlight, (options.abandonAfterMs ?? 5_000) + settleGraceMs);
      return running.report();
    },
  };
}

/** From the abort of the last attempts to their settlements' answers. */
const settleGraceMs = 2_000;

async function endsWithin(work: ReadonlySet<Promise<void>>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  const ended = await Promise.race([Promise.all(work).then(() => true), promise]);
  clearTimeout(timer);
  return ended;
}
