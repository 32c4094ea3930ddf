/**
 * The dispatch pump of one pool: ready steps in PostgreSQL become wake-ups on the queue.
 *
 * 1. The queue holds at most a window of wake-ups: 4 × the live slots, at least 256. What is ready beyond
 *    it stays in PostgreSQL, where order can still change.
 * 2. Steps are marked dispatched before the queue is written: when that write fails, time dispatches them again.
 */
import type { HousekeepingStore, QueuePort, WakeUp } from "@baton/core/ports";

export const smallestWindow = 256;
const busyPauseMs = 250;
const idlePauseMs = 1_000;

export interface PumpParts {
  readonly store: Pick<HousekeepingStore, "dispatchSteps">;
  readonly queue: Pick<QueuePort, "depth" | "enqueue">;
  readonly pool: string;
  /** Slots that this process gives to the pool. */
  readonly slots: number;
  /** Fault tests stop the process here; absent in production. */
  readonly failPoint?: (name: "before-dispatch", wakeUp: WakeUp) => void | Promise<void>;
  readonly onDispatched: (pool: string, count: number) => void;
}

/** One round of the pump; resolves to the pause before the next. */
export function createPump({
  store,
  queue,
  pool,
  slots,
  failPoint,
  onDispatched,
}: PumpParts): (signal: AbortSignal) => Promise<number> {
  const window = Math.max(smallestWindow, 4 * slots);
  return async (signal) => {
    let dispatched = 0;
    for (;;) {
      const { waiting, active } = await queue.depth(pool);
      const room = window - waiting;
      if (room <= 0 || signal.aborted) return busyPauseMs;
      const wakeUps = await store.dispatchSteps({ pool, room, queueWaiting: waiting });
      if (wakeUps.length > 0) {
        for (const wakeUp of wakeUps) await failPoint?.("before-dispatch", wakeUp);
        await queue.enqueue(pool, wakeUps);
        onDispatched(pool, wakeUps.length);
        dispatched += wakeUps.length;
      }
      // A full answer may have left more behind.
      if (wakeUps.length < room) return dispatched > 0 || waiting + active > 0 ? busyPauseMs : idlePauseMs;
    }
  };
}
