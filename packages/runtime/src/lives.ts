/**
 * The lives of a process that performs steps: a session, an executor bound to it, and consumers that feed it.
 *
 * 1. A lost session ends every attempt without settling; then a new one begins, in the same process.
 * 2. A wake-up that comes between two lives is dropped: the step is dispatched again by time.
 * 3. A step that PostgreSQL counts to the session and that nobody here performs is given back within a minute.
 * 4. While it stops, nothing is claimed; what does not end within the grace is handed back.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "@baton/config";
import type { LogPort, MeterPort, QueueConsumer, Session, SessionOptions, WakeUp } from "@baton/core/ports";
import { createExecutor } from "@baton/executor";
import type { AttemptReport, Executor, Performers } from "@baton/executor";
import { startReports } from "./report.ts";
import type { FailPoints, PoolSlots, Runtime } from "./runtime.ts";

const firstPauseMs = 250;
const longestPauseMs = 5_000;
const reportEveryMs = 30_000;

export interface LivesOptions {
  readonly runtime: Runtime;
  readonly role: SessionOptions["role"];
  readonly version: string;
  readonly pools: readonly PoolSlots[];
  /** Default: the runtime's. */
  readonly performers?: Performers;
  /** What the session advertises; steps go only to processes that have their tools. */
  readonly toolNames: readonly string[];
  readonly session: Config["session"];
  readonly log: LogPort;
  readonly meter: MeterPort;
  /** How often, and for attempts of which age, the process reports what it performs; default 30 s. */
  readonly reportEveryMs?: number;
  readonly failPoint?: FailPoints;
}

export interface PoolConsumer extends PoolSlots {
  readonly consumer: QueueConsumer;
}

export interface Lives {
  readonly sessionId: string | undefined;
  readonly consumers: readonly PoolConsumer[];
  /** Unix ms of the last try to begin a life; a process that tries is not wedged. */
  readonly triedAt: number;
  attempts(): readonly AttemptReport[];
  /** Performs the wake-up at once, without the queue; false when no slot is free, or there is no session. */
  take(wakeUp: WakeUp): boolean;
  stop(graceMs: number): Promise<void>;
}

interface Life {
  readonly session: Session;
  readonly executor: Executor;
}

const slotsOf = (pools: readonly PoolSlots[]): number => pools.reduce((sum, pool) => sum + pool.slots, 0);

async function begin(options: LivesOptions): Promise<Life> {
  const { runtime, pools, role, version, log, meter, failPoint } = options;
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
  });
  executor = createExecutor({
    store: runtime.store,
    live: runtime.live,
    models: runtime.models,
    performers: options.performers ?? runtime.performers,
    meter,
    log,
    slots,
    lost: session.lost,
    onAttemptsChanged: session.attemptsChanged,
    clock: Date.now,
    monotonic: runtime.monotonic,
    random: Math.random,
    onSettled: (pool) => runtime.housekeeping.sawWork(pool),
    ...(failPoint !== undefined && { failPoint }),
  });
  log.info("session-open", { sessionId: session.sessionId, role, pools });
  return { session, executor };
}

/** Resolves when the first life has begun and its consumers take wake-ups. */
export async function startLives(options: LivesOptions): Promise<Lives> {
  const { runtime, pools, log, meter } = options;
  const first = await begin(options);
  const consumers: PoolConsumer[] = [];
  const stopping = new AbortController();
  let life: Life | undefined;
  let triedAt = Date.now();
  /** Wake-ups under way that came without the queue. */
  let takenCount = 0;
  let renewing: Promise<void> = Promise.resolve();

  async function beginPatiently(): Promise<Life | undefined> {
    for (let pauseMs = firstPauseMs; !stopping.signal.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      try {
        triedAt = Date.now();
        return await begin(options);
      } catch (error) {
        log.warn("session-refused", { retryInMs: pauseMs, error });
      }
      // Rejects only when the process stops, and then the loop ends.
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    return undefined;
  }

  async function renew(ended: Life): Promise<void> {
    log.error("session-lost", { sessionId: ended.session.sessionId, error: ended.session.lost.reason });
    meter.count("baton_sessions_lost_total");
    life = undefined;
    await Promise.all(consumers.map(({ consumer }) => consumer.pause()));
    await ended.executor.drain(0);
    await ended.session.close();
    const next = await beginPatiently();
    if (next === undefined) return;
    adopt(next);
    for (const { consumer } of consumers) consumer.resume();
  }

  function adopt(next: Life): void {
    life = next;
    const onLost = () => {
      if (stopping.signal.aborted) return;
      renewing = renew(next).catch((error: unknown) => log.error("renewal-failed", { error }));
    };
    if (next.session.lost.aborted) onLost();
    else next.session.lost.addEventListener("abort", onLost, { once: true });
  }

  const everyMs = options.reportEveryMs ?? reportEveryMs;
  const current = () =>
    life === undefined
      ? undefined
      : { sessionId: life.session.sessionId, performing: life.executor.attempts().map(({ ref }) => ref) };
  const reports = startReports({ store: runtime.store, current, everyMs, ageMs: everyMs, log, meter });

  async function feed(): Promise<{ close(): Promise<void> }> {
    const stops = await runtime.store.listenStops((signal) => life?.executor.stopTask(signal), reports.now);
    const perform = async (wakeUp: WakeUp): Promise<void> => await life?.executor.performWakeUp(wakeUp);
    for (const { pool, slots } of pools) {
      const onError = (error: Error) => {
        meter.count("baton_connection_errors_total", { part: "consumer" });
        log.warn("connection-trouble", { part: "consumer", pool, error });
      };
      consumers.push({ pool, slots, consumer: await runtime.queue.consume({ pool, slots, perform, onError }) });
    }
    return stops;
  }

  async function stop(graceMs: number, stops?: { close(): Promise<void> }): Promise<void> {
    stopping.abort();
    await Promise.all(consumers.map(({ consumer }) => consumer.pause()));
    const left = (await life?.executor.drain(graceMs)) ?? [];
    if (left.length > 0) log.warn("attempts-left", { attempts: left });
    await renewing;
    await Promise.all(consumers.map(({ consumer }) => consumer.close(1_000)));
    await stops?.close();
    await reports.stop();
    await life?.session.close();
  }

  adopt(first);
  const stops = await feed().catch(async (error: unknown) => {
    await stop(0);
    throw error;
  });
  return {
    get sessionId() {
      return life?.session.sessionId;
    },
    consumers,
    get triedAt() {
      return triedAt;
    },
    attempts: () => life?.executor.attempts() ?? [],
    take(wakeUp) {
      const busy = consumers.reduce((sum, { consumer }) => sum + consumer.activeCount, takenCount);
      if (stopping.signal.aborted || life === undefined || busy >= slotsOf(pools)) return false;
      takenCount += 1;
      // Never rejects; the executor owns it and drains it.
      void life.executor.performWakeUp(wakeUp).finally(() => (takenCount -= 1));
      return true;
    },
    stop: (graceMs) => stop(graceMs, stops),
  };
}
