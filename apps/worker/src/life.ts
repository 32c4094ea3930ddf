/**
 * The lives of a worker process: a session, an executor bound to it, and consumers that feed it.
 *
 * 1. A lost session ends every attempt without settling; then a new one begins, in the same process.
 * 2. A wake-up that comes between two lives is dropped: the step is dispatched again by time.
 * 3. While it stops, nothing is claimed; what does not end within the grace is handed back.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "@baton/config";
import type { FailPoint, LogPort, MeterPort, QueueConsumer, Session, WakeUp } from "@baton/core/ports";
import { createExecutor } from "@baton/executor";
import type { AttemptReport, Executor } from "@baton/executor";
import { monotonic } from "./compose.ts";
import type { Parts } from "./compose.ts";

const version = "0.1.0";
const firstPauseMs = 250;
const longestPauseMs = 5_000;

export interface PoolSlots {
  readonly pool: string;
  readonly slots: number;
}

export interface LivesOptions {
  readonly parts: Parts;
  readonly config: Config;
  readonly pools: readonly PoolSlots[];
  readonly log: LogPort;
  readonly meter: MeterPort;
  readonly failPoint?: (
    name: FailPoint,
    ref: { readonly taskId: string; readonly stepId: string },
  ) => void | Promise<void>;
}

export interface PoolConsumer extends PoolSlots {
  readonly consumer: QueueConsumer;
}

export interface Lives {
  readonly sessionId: string | undefined;
  readonly consumers: readonly PoolConsumer[];
  /** Unix ms of the last try to begin a life; a worker that tries is not wedged. */
  readonly triedAt: number;
  attempts(): readonly AttemptReport[];
  stop(graceMs: number): Promise<void>;
}

interface Life {
  readonly session: Session;
  readonly executor: Executor;
}

/** Resolves when the first life has begun and its consumers take wake-ups. */
export async function startLives(options: LivesOptions): Promise<Lives> {
  const { parts, config, pools, log, meter } = options;
  const consumers: PoolConsumer[] = [];
  const stopping = new AbortController();
  let life: Life | undefined;
  let triedAt = Date.now();

  async function begin(): Promise<Life> {
    triedAt = Date.now();
    const slots = pools.reduce((sum, pool) => sum + pool.slots, 0);
    const earliestDeadline = (): number | undefined => {
      const deadlines = life?.executor.attempts().map(({ deadlineAt }) => deadlineAt) ?? [];
      return deadlines.length === 0 ? undefined : Math.min(...deadlines);
    };
    const session = await parts.store.openSession({
      pools: pools.map(({ pool }) => pool),
      slots,
      tools: parts.tools.list().map(({ name }) => name),
      version,
      role: "worker",
      beatMs: config.session.beatMs,
      leaseMs: config.session.leaseMs,
      earliestDeadline,
    });
    const executor = createExecutor({
      store: parts.store,
      live: parts.live,
      models: parts.models,
      performers: parts.performers,
      meter,
      log,
      slots,
      lost: session.lost,
      clock: Date.now,
      monotonic,
      random: Math.random,
      onSettled: (pool) => parts.housekeeping.sawWork(pool),
      ...(options.failPoint !== undefined && { failPoint: options.failPoint }),
    });
    log.info("session-open", { sessionId: session.sessionId, pools });
    return { session, executor };
  }

  async function beginPatiently(): Promise<Life | undefined> {
    for (let pauseMs = firstPauseMs; !stopping.signal.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      try {
        return await begin();
      } catch (error) {
        log.warn("session-refused", { retryInMs: pauseMs, error });
      }
      // Rejects only when the worker stops, and then the loop ends.
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

  let renewing: Promise<void> = Promise.resolve();
  function adopt(next: Life): void {
    life = next;
    const onLost = () => {
      if (stopping.signal.aborted) return;
      renewing = renew(next).catch((error: unknown) => log.error("renewal-failed", { error }));
    };
    if (next.session.lost.aborted) onLost();
    else next.session.lost.addEventListener("abort", onLost, { once: true });
  }

  adopt(await begin());
  const stops = await parts.store.listenStops((signal) => life?.executor.stopTask(signal));
  const perform = async (wakeUp: WakeUp): Promise<void> => await life?.executor.performWakeUp(wakeUp);
  for (const { pool, slots } of pools) {
    const onError = (error: Error) => {
      meter.count("baton_connection_errors_total", { part: "consumer" });
      log.warn("connection-trouble", { part: "consumer", pool, error });
    };
    consumers.push({ pool, slots, consumer: await parts.queue.consume({ pool, slots, perform, onError }) });
  }
  return {
    get sessionId() {
      return life?.session.sessionId;
    },
    consumers,
    get triedAt() {
      return triedAt;
    },
    attempts: () => life?.executor.attempts() ?? [],
    async stop(graceMs) {
      stopping.abort();
      await Promise.all(consumers.map(({ consumer }) => consumer.pause()));
      const left = (await life?.executor.drain(graceMs)) ?? [];
      if (left.length > 0) log.warn("attempts-left", { attempts: left });
      await renewing;
      await Promise.all(consumers.map(({ consumer }) => consumer.close(1_000)));
      await stops.close();
      await life?.session.close();
    },
  };
}
