/**
 * One life: a session and the executor bound to it; and what follows when it is lost.
 *
 * 1. A life that ended stays ended: its executor settles nothing more, a new session has a new executor.
 * 2. A session that the store refuses is asked for again, ever more seldom, until the process stops.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "@baton/config";
import type { LogPort, MeterPort, Session, SessionOptions } from "@baton/core/ports";
import { createExecutor } from "@baton/executor";
import type { Executor, Isolation, Performers } from "@baton/executor";
import type { FailPoints, PoolSlots, Runtime } from "./runtime.ts";

const firstPauseMs = 250;
const longestPauseMs = 5_000;

export interface LifeOptions {
  readonly runtime: Runtime;
  readonly role: SessionOptions["role"];
  readonly version: string;
  readonly pools: readonly PoolSlots[];
  /** Default: the runtime's. */
  readonly performers?: Performers;
  /** What the session advertises; steps go only to processes that have their tools. */
  readonly toolNames: readonly string[];
  readonly session: Config["session"];
  readonly continuation: boolean;
  readonly log: LogPort;
  readonly meter: MeterPort;
  readonly isolation?: Isolation;
  readonly failPoint?: FailPoints;
}

export interface Life {
  readonly session: Session;
  readonly executor: Executor;
}

export interface LifeWatch {
  /** Consumers take nothing from here on. */
  pause(): Promise<void>;
  resume(): void;
}

export interface Succession {
  /** Undefined between two lives. */
  readonly life: Life | undefined;
  /** Unix ms of the last try to begin a life. */
  readonly triedAt: number;
  /** Resolves when no life is beginning. */
  settled(): Promise<void>;
}

export const slotsOf = (pools: readonly PoolSlots[]): number => pools.reduce((sum, pool) => sum + pool.slots, 0);

async function begin(options: LifeOptions): Promise<Life> {
  const { runtime, pools, role, version, log, meter, isolation, failPoint } = options;
  const slots = slotsOf(pools);
  let executor: Executor | undefined;
  const session = await runtime.store.openSession({
    pools: pools.map(({ pool }) => pool),
    slots,
    tools: options.toolNames,
    version,
    role,
    ...options.session,
    earliestDeadline: () => {
      const deadlines = executor?.attempts().map(({ deadlineAt }) => deadlineAt) ?? [];
      return deadlines.length === 0 ? undefined : Math.min(...deadlines);
    },
    attemptNow: () => executor?.attemptNow(),
  });
  executor = createExecutor({
    store: runtime.store,
    live: runtime.live,
    models: runtime.models,
    limiter: runtime.limiter,
    performers: options.performers ?? runtime.performers,
    meter,
    log,
    slots,
    continuation: options.continuation,
    lost: session.lost,
    onAttemptsChanged: session.attemptsChanged,
    clock: Date.now,
    monotonic: runtime.monotonic,
    random: Math.random,
    onSettled: (pool) => runtime.housekeeping.sawWork(pool),
    ...(isolation !== undefined && { isolation }),
    ...(failPoint !== undefined && { failPoint }),
  });
  log.info("session-open", { sessionId: session.sessionId, role, pools });
  return { session, executor };
}

/** Resolves with the first life; each one that is lost is followed by another until `stopping` aborts. */
export async function startSuccession(
  options: LifeOptions,
  watch: LifeWatch,
  stopping: AbortSignal,
): Promise<Succession> {
  const { log, meter } = options;
  let life: Life | undefined;
  let triedAt = Date.now();
  let renewing: Promise<void> = Promise.resolve();

  async function beginPatiently(): Promise<Life | undefined> {
    for (let pauseMs = firstPauseMs; !stopping.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      try {
        triedAt = Date.now();
        return await begin(options);
      } catch (error) {
        log.warn("session-refused", { retryInMs: pauseMs, error });
      }
      // Rejects only when the process stops, and then the loop ends.
      await delay(pauseMs, undefined, { signal: stopping }).catch(() => undefined);
    }
    return undefined;
  }

  async function renew(ended: Life): Promise<void> {
    log.error("session-lost", { sessionId: ended.session.sessionId, error: ended.session.lost.reason });
    meter.count("baton_sessions_lost_total");
    life = undefined;
    await watch.pause();
    await ended.executor.drain(0);
    await ended.session.close();
    const next = await beginPatiently();
    if (next === undefined) return;
    adopt(next);
    watch.resume();
  }

  function adopt(next: Life): void {
    life = next;
    const onLost = () => {
      if (stopping.aborted) return;
      renewing = renew(next).catch((error: unknown) => log.error("renewal-failed", { error }));
    };
    if (next.session.lost.aborted) onLost();
    else next.session.lost.addEventListener("abort", onLost, { once: true });
  }

  adopt(await begin(options));
  return {
    get life() {
      return life;
    },
    get triedAt() {
      return triedAt;
    },
    settled: () => renewing,
  };
}
