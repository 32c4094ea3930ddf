/**
 * The lives of a process that performs steps, and the consumers that feed them.
 *
 * 1. A lost session ends every attempt without settling; then a new one begins, in the same process.
 * 2. A wake-up that comes between two lives is dropped: the step is dispatched again by time.
 * 3. A step that PostgreSQL counts to the session and that nobody here performs is given back within a minute.
 * 4. While it stops, nothing is claimed; what does not end within the grace is handed back, and only then the results
 *    of calls that are still out are waited for, a little longer.
 * 5. A step that may have killed workers is performed in a process of its own, when the program for it is known.
 */
import type { QueueConsumer, WakeUp } from "@baton/core/ports";
import type { AttemptReport } from "@baton/executor";
import { createIsolation } from "./isolation/parent.ts";
import type { IsolationOptions } from "./isolation/parent.ts";
import { slotsOf, startSuccession } from "./life.ts";
import type { LifeOptions } from "./life.ts";
import { startReports } from "./report.ts";
import type { PoolSlots } from "./runtime.ts";

const reportEveryMs = 30_000;
const lateResultsMs = 5_000;

export interface LivesOptions extends Omit<LifeOptions, "isolation"> {
  /** Absent where this program cannot be started a second time: then every step is performed in this process. */
  readonly isolation?: Omit<IsolationOptions, "log" | "meter"> | undefined;
  /** How often, and for attempts of which age, the process reports what it performs; default 30 s. */
  readonly reportEveryMs?: number;
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
  /** Unix ms since when the oldest claim or settlement under way waits for its answer; undefined when none does. */
  waitingSince(): number | undefined;
  /** Unix ms since when the queue answers this process; undefined while it does not. */
  readonly queueAnsweringSince: number | undefined;
  /** Performs the wake-up at once, without the queue; false when no slot is free, or there is no session. */
  take(wakeUp: WakeUp): boolean;
  stop(graceMs: number): Promise<void>;
}

/** Resolves when the first life has begun and its consumers take wake-ups. */
export async function startLives(options: LivesOptions): Promise<Lives> {
  const { runtime, pools, log, meter } = options;
  const consumers: PoolConsumer[] = [];
  const stopping = new AbortController();
  const pause = async () => void (await Promise.all(consumers.map(({ consumer }) => consumer.pause())));
  const resume = () => {
    for (const { consumer } of consumers) consumer.resume();
  };
  const isolation = options.isolation && createIsolation({ ...options.isolation, log, meter });
  const { isolation: _, ...life } = options;
  const lifeOptions = { ...life, ...(isolation !== undefined && { isolation }) };
  const lives = await startSuccession(lifeOptions, { pause, resume }, stopping.signal);
  const everyMs = options.reportEveryMs ?? reportEveryMs;
  const attempts = () => lives.life?.executor.attempts() ?? [];
  const current = () =>
    lives.life && { sessionId: lives.life.session.sessionId, performing: attempts().map(({ ref }) => ref) };
  const reports = startReports({ store: runtime.store, current, everyMs, ageMs: everyMs, log, meter });
  /** Wake-ups under way that came without the queue. */
  let takenCount = 0;

  async function stop(graceMs: number, stops?: { close(): Promise<void> }): Promise<void> {
    stopping.abort();
    await pause();
    const left = (await lives.life?.executor.drain(graceMs)) ?? [];
    if (left.length > 0) log.warn("attempts-left", { attempts: left });
    await lives.settled();
    await Promise.all(consumers.map(({ consumer }) => consumer.close(1_000)));
    await stops?.close();
    await reports.stop();
    await lives.life?.session.close();
    await Promise.all([runtime.late.settled(lateResultsMs), isolation?.close(lateResultsMs)]);
  }

  async function feed(): Promise<{ close(): Promise<void> }> {
    const stops = await runtime.store.listenStops((signal) => lives.life?.executor.stopTask(signal), reports.now);
    const perform = (wakeUp: WakeUp): Promise<void> => lives.life?.executor.performWakeUp(wakeUp) ?? Promise.resolve();
    for (const { pool, slots } of pools) {
      const onError = (error: Error) => {
        meter.count("baton_connection_errors_total", { part: "consumer" });
        log.warn("connection-trouble", { part: "consumer", pool, error });
      };
      consumers.push({ pool, slots, consumer: await runtime.queue.consume({ pool, slots, perform, onError }) });
    }
    return stops;
  }

  const stops = await feed().catch(async (error: unknown) => {
    await stop(0);
    throw error;
  });
  return {
    get sessionId() {
      return lives.life?.session.sessionId;
    },
    consumers,
    get triedAt() {
      return lives.triedAt;
    },
    attempts,
    waitingSince: () => lives.life?.executor.waitingSince(),
    get queueAnsweringSince() {
      return runtime.queue.answeringSince;
    },
    take(wakeUp) {
      const { life } = lives;
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
