/**
 * The stages between claim and settle: an attempt is prepared, performed and encoded into its outcome.
 *
 * 1. Whatever is thrown on the way is the attempt's failure; `work` itself never rejects.
 * 2. The code of an attempt runs in its scope, so that it can be told to whom a blocked main thread belongs.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type {
  AttemptNow,
  ClaimedStep,
  EffectResult,
  EngineStore,
  FailPoint,
  LivePort,
  LogPort,
  MeterPort,
  ModelPort,
  NewTrace,
  Outcome,
  Performer,
  RateLimiter,
  StepType,
  StepUsage,
} from "@baton/core/ports";
import { AttemptAccount } from "../attempt/account.ts";
import { AttemptContext } from "../attempt/context.ts";
import type { RunningAttempt } from "../attempt/running.ts";
import { BudgetWaits } from "../budget/waits.ts";
import { encodeOutcome } from "./encode.ts";
import { performAttempt } from "./perform.ts";
import type { PerformedAttempt } from "./perform.ts";
import { prepareStep } from "./prepare.ts";
import type { Prepared } from "./prepare.ts";
import { createStage } from "./stage.ts";
import type { Ticket } from "./stage.ts";

export type Performers = Readonly<Record<StepType, Performer>>;

/** What it takes to perform attempts, here or in a process of their own. */
export interface WorkOptions {
  readonly store: EngineStore;
  readonly live: LivePort;
  readonly models: ModelPort;
  /** Paces the calls of a task that has a limiter of its own. */
  readonly limiter: RateLimiter;
  readonly performers: Performers;
  readonly meter: MeterPort;
  readonly log: LogPort;
  /** How many attempts may be performed at once. */
  readonly slots: number;
  /** Unix ms. */
  readonly clock: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** How long a performer may ignore its signal; default 5,000 ms. */
  readonly abandonAfterMs?: number;
  /** Fault tests stop the process here; absent in production. */
  readonly failPoint?: (
    name: FailPoint,
    ref: { readonly taskId: string; readonly stepId: string },
  ) => void | Promise<void>;
}

/** What an attempt comes to, as it is settled. */
export interface AttemptRecord {
  /** Undefined when the attempt was somebody else's by then. */
  readonly outcome: Outcome | undefined;
  readonly usage: StepUsage | undefined;
  readonly traces: readonly NewTrace[];
  readonly effects: readonly EffectResult[];
}

export interface Worked extends AttemptRecord {
  /** When the performer has really ended. */
  readonly ended: Promise<void>;
}

export interface Work {
  perform(attempt: RunningAttempt): Promise<Worked>;
  /** The attempt to which the code belongs that asks. */
  attemptNow(): AttemptNow | undefined;
}

const noFailPoint = (): Promise<void> => Promise.resolve();

export function failPointOf(
  failPoint: WorkOptions["failPoint"],
  ref: ClaimedStep["ref"],
): (name: FailPoint) => Promise<void> {
  return failPoint === undefined ? noFailPoint : async (name) => failPoint(name, ref);
}

export function createWork(options: WorkOptions): Work {
  const { store, slots, meter, monotonic, clock, random } = options;
  const stage = (name: string, width: number) => createStage({ name, width, queue: slots, meter, monotonic });
  const stages = {
    // Reading and encoding hold whole outputs in memory, up to 32 MB each.
    prepare: stage("prepare", Math.min(slots, 8)),
    perform: stage("perform", slots),
    encode: stage("encode", Math.min(slots, 4)),
  };
  const waits = new BudgetWaits();
  const scope = new AsyncLocalStorage<AttemptNow>();

  async function prepare(step: ClaimedStep): Promise<{ prepared: Prepared; performing: Ticket }> {
    const preparing = await stages.prepare.admit();
    return await preparing.run(async () => ({
      prepared: await prepareStep(step, store),
      performing: await stages.perform.admit(),
    }));
  }

  return {
    attemptNow: () => scope.getStore(),
    /** An attempt waits here for as long as its performer does, and each function in between waits with it. */
    async perform(attempt) {
      const { step } = attempt;
      const account = new AttemptAccount();
      let prepared: Prepared | undefined;
      let done: PerformedAttempt;
      let leave: (() => void) | undefined;
      try {
        const ready = await prepare(step);
        prepared = ready.prepared;
        const { models, limiter, live, log, performers } = options;
        const failPoint = failPointOf(options.failPoint, step.ref);
        const calls = { store, waits, models, limiter, live, log, clock };
        const context = new AttemptContext({ attempt, prepared, account, failPoint, ...calls });
        leave = await ready.performing.enter();
        const now = { ref: step.ref, attemptNo: step.attemptNo };
        done = await scope.run(now, performAttempt, attempt, performers[step.type], context);
      } catch (error) {
        done = { end: { end: "failed", error }, ended: Promise.resolve() };
      } finally {
        leave?.();
      }
      attempt.end();
      account.close();
      const encoding = await stages.encode.admit();
      const outcome = await encoding.run(async () => encodeOutcome(step, done.end, prepared, random));
      const { usage, traces, effects } = account;
      return { outcome, usage, traces, effects, ended: done.ended };
    },
  };
}
