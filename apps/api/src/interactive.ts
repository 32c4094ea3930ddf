/**
 * The api process as a worker of the pool `interactive`: plans and replies, performed where they are waited for.
 *
 * Purpose: a plan or a first token costs no hop through the queue. Boundary: performs no other step; what
 * this process does not get to, any worker takes over.
 *
 * 1. A wake-up is taken at once while a slot is free, and goes to the queue otherwise.
 * 2. A lost session ends every attempt without settling; then a new one begins.
 * 3. Without a session nothing is claimed here, and requests are still answered.
 */
import { setTimeout as delay } from "node:timers/promises";
import { BatonError } from "@baton/core";
import type { LivePort, LogPort, MeterPort, ModelPort, Performer, QueuePort, Session, WakeUp } from "@baton/core/ports";
import { createExecutor } from "@baton/executor";
import type { Executor, Performers } from "@baton/executor";
import type { Store } from "@baton/store";
import { interactivePool } from "./tasks/layout.ts";

export interface InteractiveOptions {
  readonly store: Store;
  readonly queue: QueuePort;
  readonly live: LivePort;
  readonly models: ModelPort;
  readonly performers: Pick<Performers, "plan" | "evaluate" | "reply">;
  readonly meter: MeterPort;
  readonly log: LogPort;
  readonly slots: number;
  readonly version: string;
  readonly beatMs: number;
  readonly leaseMs: number;
  readonly onSettled: (pool: string) => void;
}

export interface Interactive {
  /** True when the wake-up is performed here, now. */
  take(wakeUp: WakeUp): boolean;
  stop(graceMs: number): Promise<void>;
}

interface Life {
  readonly session: Session;
  readonly executor: Executor;
}

const pauseMs = 1_000;

const notHere =
  (type: string): Performer =>
  async () => {
    throw new BatonError(
      "internal",
      `A step of the type "${type}" is in the pool "${interactivePool}", where only plans and replies belong.`,
    );
  };

function performersOf({ plan, evaluate, reply }: InteractiveOptions["performers"]): Performers {
  const others = ["llm", "tool", "map", "checkpoint", "summarization"] as const;
  const refusing = Object.fromEntries(others.map((type) => [type, notHere(type)])) as Record<
    (typeof others)[number],
    Performer
  >;
  return { ...refusing, plan, evaluate, reply };
}

async function begin(options: InteractiveOptions): Promise<Life> {
  const { store, live, models, meter, log, slots, version, beatMs, leaseMs, onSettled } = options;
  const role = "api" as const;
  const session = await store.openSession({
    pools: [interactivePool],
    slots,
    tools: [],
    version,
    role,
    beatMs,
    leaseMs,
  });
  const executor = createExecutor({
    store,
    live,
    models,
    performers: performersOf(options.performers),
    meter,
    log,
    slots,
    lost: session.lost,
    clock: Date.now,
    monotonic: () => performance.now(),
    random: Math.random,
    onSettled,
  });
  return { session, executor };
}

export async function startInteractive(options: InteractiveOptions): Promise<Interactive> {
  const { store, queue, log, slots } = options;
  const stopping = new AbortController();
  let life: Life | undefined;
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const current = life ?? (await beginOrTell());
      life = current;
      if (life === undefined) await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      else await ended(life, stopping.signal);
    }
  };
  const beginOrTell = async (): Promise<Life | undefined> => {
    try {
      return await begin(options);
    } catch (error) {
      log.warn("session-refused", { retryInMs: pauseMs, error });
      return undefined;
    }
  };
  const ended = async (now: Life, stopped: AbortSignal): Promise<void> => {
    await aborted(AbortSignal.any([now.session.lost, stopped]));
    if (stopped.aborted) return;
    log.error("session-lost", { sessionId: now.session.sessionId, error: now.session.lost.reason });
    life = undefined;
    await now.executor.drain(0);
    await now.session.close();
  };
  life = await begin(options);
  const living = run().catch((error: unknown) => log.error("interactive-ended", { error }));
  const stops = await store.listenStops((signal) => life?.executor.stopTask(signal));
  const consumer = await queue.consume({
    pool: interactivePool,
    slots,
    perform: async (wakeUp) => await life?.executor.performWakeUp(wakeUp),
    onError: (error) => log.warn("connection-trouble", { part: "consumer", error }),
  });
  return {
    take(wakeUp) {
      if (stopping.signal.aborted || life === undefined || life.executor.attempts().length >= slots) return false;
      void life.executor.performWakeUp(wakeUp);
      return true;
    },
    async stop(graceMs) {
      stopping.abort();
      await consumer.pause();
      await life?.executor.drain(graceMs);
      await living;
      await consumer.close(1_000);
      await stops.close();
      await life?.session.close();
    },
  };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
