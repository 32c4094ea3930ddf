/**
 * What time does.
 *
 * Purpose: dispatch what is ready, take back what dead workers held, and delete what is old. Boundary: which
 * steps and sessions those are is decided by the store's verbs; this room decides when.
 *
 * 1. Every duty is safe on any number of workers at once: a round is one verb, one transaction.
 * 2. Every loop has an owner that can stop it, and none keeps a failure to itself (loop.ts).
 */
import type { HousekeepingStore, LogPort, MeterPort, QueuePort } from "@baton/core/ports";
import { startLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";
import { createPump, smallestWindow } from "./pump.ts";
import type { Pump, PumpParts } from "./pump.ts";

const reapEveryMs = 1_000;
const expireEveryMs = 2_000;
const relateEveryMs = 2_000;
/** Every open reservation is looked at; those of a dead session at once, when it was reaped. */
const expireEveryRounds = 5;
const pruneEveryMs = 60_000;
const measureEveryMs = 5_000;

export interface PruneAges {
  readonly finishedTasksMs: number;
  readonly idempotencyMs: number;
  readonly sessionsMs: number;
  readonly liveMs: number;
}

export interface HousekeepingOptions {
  readonly store: HousekeepingStore;
  readonly queue: QueuePort;
  /** The pools to dispatch for, with the slots this process gives to each. */
  readonly pools: readonly { readonly pool: string; readonly slots: number }[];
  readonly ages: PruneAges;
  readonly meter: MeterPort;
  readonly log: LogPort;
  readonly monotonic: () => number;
  readonly random: () => number;
  readonly failPoint?: NonNullable<PumpParts["failPoint"]>;
}

export interface Housekeeping {
  /** Wake-ups that every queue of this process may still take, as the pumps last saw it. */
  room(): number;
  /** Others have put wake-ups on the pool's queue. */
  took(pool: string, count: number): void;
  /** Steps of the pool became ready outside the engine; unknown pools are another process's. */
  wake(pool: string): void;
  /** A step of the pool was settled here: more may become ready. */
  sawWork(pool: string): void;
  stop(): Promise<void>;
}

export function startHousekeeping(options: HousekeepingOptions): Housekeeping {
  const { store, queue, meter, log, monotonic, random, failPoint } = options;
  const pumps = new Map<string, Pump>();
  for (const { pool, slots } of options.pools) {
    const onDispatched = (count: number) => meter.count("baton_dispatched_total", { pool }, count);
    const parts = { store, queue, pool, slots, monotonic, onDispatched, ...(failPoint !== undefined && { failPoint }) };
    pumps.set(pool, createPump(parts));
  }
  const start = (name: string, round: (signal: AbortSignal) => Promise<number>): Loop =>
    startLoop({ name, round, meter, log, monotonic, random });
  const pumpLoops = new Map(
    [...pumps].map(([pool, pump]) => [pool, start(`pump:${pool}`, (signal) => pump.round(signal))]),
  );
  const loops = [
    ...pumpLoops.values(),
    start("questions", () => expire(options)),
    start("relatives", () => relate(options)),
    start("reaper", createReaper(options)),
    start("pruner", () => prune(options)),
    start("backlog", () => measure(options, pumps)),
  ];
  return {
    room: () => Math.min(...[...pumps.values()].map((pump) => pump.room), smallestWindow),
    took: (pool, count) => pumps.get(pool)?.took(count),
    wake: (pool) => pumpLoops.get(pool)?.wake(),
    sawWork: (pool) => pumps.get(pool)?.sawWork(),
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}

function createReaper({ store, meter, log }: HousekeepingOptions): () => Promise<number> {
  let round = 0;
  return async () => {
    const { sessions, steps, deadLetters } = await store.reapSessions();
    if (sessions > 0 || steps > 0) {
      log.warn("sessions-reaped", { sessions, steps, deadLetters });
      meter.count("baton_sessions_reaped_total", {}, sessions);
      meter.count("baton_steps_reclaimed_total", {}, steps);
      meter.count("baton_dead_letters_total", { cause: "worker-crash" }, deadLetters);
    }
    if (steps > 0 || round % expireEveryRounds === 0) {
      const lost = await store.expireReservations();
      if (lost > 0) log.warn("reservations-expired", { lost });
      meter.count("baton_model_calls_lost_total", {}, lost);
    }
    round += 1;
    return reapEveryMs;
  };
}

async function expire({ store, log }: HousekeepingOptions): Promise<number> {
  const { questions } = await store.expireQuestions();
  if (questions > 0) log.info("questions-expired", { questions });
  return expireEveryMs;
}

/** What was told at once is told already: this finds what a process that died has left. */
async function relate({ store, log }: HousekeepingOptions): Promise<number> {
  const { told, followed } = await store.relateTasks();
  if (told + followed > 0) log.info("tasks-related", { told, followed });
  return relateEveryMs;
}

async function prune({ store, ages, meter, log }: HousekeepingOptions): Promise<number> {
  const { tasks } = await store.prune(ages);
  if (tasks > 0) {
    log.info("tasks-pruned", { tasks });
    meter.count("baton_tasks_pruned_total", {}, tasks);
  }
  return pruneEveryMs;
}

async function measure(
  { store, queue, meter }: HousekeepingOptions,
  pumps: ReadonlyMap<string, Pump>,
): Promise<number> {
  const liveSlots = new Map((await store.liveSlots()).map(({ pool, slots }) => [pool, slots]));
  const backlog = new Map((await store.backlog()).map((row) => [row.pool, row]));
  for (const [pool, pump] of pumps) {
    pump.sawSlots(liveSlots.get(pool) ?? 0);
    const row = backlog.get(pool);
    if (row !== undefined && row.ready + row.running > 0) pump.sawWork();
    const { waiting, active } = await queue.depth(pool);
    meter.gauge("baton_live_slots", liveSlots.get(pool) ?? 0, { pool });
    meter.gauge("baton_backlog_ready", row?.ready ?? 0, { pool });
    meter.gauge("baton_backlog_running", row?.running ?? 0, { pool });
    meter.gauge("baton_backlog_oldest_ready_ms", row?.oldestReadyMs ?? 0, { pool });
    meter.gauge("baton_queue_waiting", waiting, { pool });
    meter.gauge("baton_queue_active", active, { pool });
  }
  return measureEveryMs;
}
