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
import type { Loop, LoopOptions } from "./loop.ts";
import { createPump } from "./pump.ts";
import type { PumpParts } from "./pump.ts";

const reapEveryMs = 1_000;
const pruneEveryMs = 60_000;
const measureEveryMs = 5_000;
const nudgeSpacingMs = 20;

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
  /** Something may have become ready in the pool. */
  nudge(pool: string): void;
  stop(): Promise<void>;
}

export function startHousekeeping(options: HousekeepingOptions): Housekeeping {
  const { store, queue, meter, log, monotonic, random } = options;
  const start = (loop: Pick<LoopOptions, "name" | "round" | "minSpacingMs">): Loop =>
    startLoop({ ...loop, meter, log, monotonic, random });
  const pumps = new Map<string, Loop>();
  for (const { pool, slots } of options.pools) {
    const onDispatched = (name: string, count: number) => meter.count("baton_dispatched_total", { pool: name }, count);
    const parts = {
      store,
      queue,
      pool,
      slots,
      onDispatched,
      ...(options.failPoint !== undefined && { failPoint: options.failPoint }),
    };
    pumps.set(pool, start({ name: `pump:${pool}`, round: createPump(parts), minSpacingMs: nudgeSpacingMs }));
  }
  const duties = [
    start({ name: "reaper", round: async () => await reap(options) }),
    start({ name: "pruner", round: async () => await prune(options) }),
    start({ name: "backlog", round: async () => await measure(options) }),
  ];
  return {
    nudge: (pool) => pumps.get(pool)?.nudge(),
    async stop() {
      await Promise.all([...pumps.values(), ...duties].map((loop) => loop.stop()));
    },
  };
}

async function reap({ store, meter, log }: HousekeepingOptions): Promise<number> {
  const { sessions, steps, deadLetters } = await store.reapSessions();
  if (sessions > 0 || steps > 0) {
    log.warn("sessions-reaped", { sessions, steps, deadLetters });
    meter.count("baton_sessions_reaped_total", {}, sessions);
    meter.count("baton_steps_reclaimed_total", {}, steps);
    meter.count("baton_dead_letters_total", { cause: "worker-crash" }, deadLetters);
  }
  return reapEveryMs;
}

async function prune({ store, ages, meter, log }: HousekeepingOptions): Promise<number> {
  const { tasks } = await store.prune(ages);
  if (tasks > 0) {
    log.info("tasks-pruned", { tasks });
    meter.count("baton_tasks_pruned_total", {}, tasks);
  }
  return pruneEveryMs;
}

async function measure({ store, queue, pools, meter }: HousekeepingOptions): Promise<number> {
  const backlog = new Map((await store.backlog()).map((row) => [row.pool, row]));
  for (const { pool } of pools) {
    const row = backlog.get(pool);
    const { waiting, active } = await queue.depth(pool);
    meter.gauge("baton_backlog_ready", row?.ready ?? 0, { pool });
    meter.gauge("baton_backlog_running", row?.running ?? 0, { pool });
    meter.gauge("baton_backlog_oldest_ready_ms", row?.oldestReadyMs ?? 0, { pool });
    meter.gauge("baton_queue_waiting", waiting, { pool });
    meter.gauge("baton_queue_active", active, { pool });
  }
  return measureEveryMs;
}
