/**
 * The dispatch pump of one pool: ready steps in PostgreSQL become wake-ups on the queue.
 *
 * 1. The queue holds at most a window of wake-ups: 4 × the slots that all live sessions give to the pool, at least
 *    256: the queue is everybody's, and a small process pumps for large ones too. What is ready beyond the window
 *    stays in PostgreSQL, where order can still change.
 * 2. Steps are marked dispatched before the queue is written: when that write fails, time dispatches them again.
 * 3. While there is work, also work that only waits for a backoff, the pump looks every 250 ms.
 * 4. Without any for ten seconds it looks at PostgreSQL alone: what may stand on the queue then is another process's of
 *    the last moments, so a window at most comes on top.
 */
import type { HousekeepingStore, QueuePort, WakeUp } from "@baton/core/ports";

export const smallestWindow = 256;
const busyPauseMs = 250;
/** Below 2 s with the jitter of its loop. */
const idlePauseMs = 1_600;
/** Longer than the rounds of the backlog loop, which sees what is ready but not due. */
const busyAfterWorkMs = 10_000;

export interface PumpParts {
  readonly store: Pick<HousekeepingStore, "dispatchSteps">;
  readonly queue: Pick<QueuePort, "depth" | "enqueue">;
  readonly pool: string;
  /** Slots that this process gives to the pool: what is known of the installation before anything is heard of it. */
  readonly slots: number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** Fault tests stop the process here; absent in production. */
  readonly failPoint?: (name: "before-dispatch", wakeUp: WakeUp) => void | Promise<void>;
  readonly onDispatched: (count: number) => void;
}

export interface Pump {
  /** Wake-ups that the queue may still take, as the pump last saw it. */
  readonly room: number;
  /** The slots that all live sessions give to the pool. */
  sawSlots(count: number): void;
  /** Others have put wake-ups on the queue. */
  took(count: number): void;
  /** There is work: somebody settled a step, or steps are ready though not due. */
  sawWork(): void;
  /** Resolves to the pause before the next round. */
  round(signal: AbortSignal): Promise<number>;
}

export function createPump({ store, queue, pool, slots, monotonic, failPoint, onDispatched }: PumpParts): Pump {
  const windowOf = (count: number) => Math.max(smallestWindow, 4 * count);
  let window = windowOf(slots);
  let room = window;
  let workedAt = Number.NEGATIVE_INFINITY;
  /** At its start a pump does not know what stands on the queue. */
  let hasLooked = false;
  const sawWork = () => {
    workedAt = monotonic();
  };
  const isIdle = () => monotonic() - workedAt >= busyAfterWorkMs;
  return {
    get room() {
      return room;
    },
    sawSlots(count) {
      // A session of this process may be between two lives.
      window = windowOf(Math.max(count, slots));
    },
    took(count) {
      room = Math.max(0, room - count);
    },
    sawWork,
    async round(signal) {
      for (;;) {
        const { waiting, active } = hasLooked && isIdle() ? { waiting: 0, active: 0 } : await queue.depth(pool);
        hasLooked = true;
        room = Math.max(0, window - waiting);
        if (waiting + active > 0) sawWork();
        if (room === 0 || signal.aborted) return busyPauseMs;
        const asked = room;
        const wakeUps = await store.dispatchSteps({ pool, room: asked, queueWaiting: waiting });
        if (wakeUps.length > 0) {
          sawWork();
          for (const wakeUp of wakeUps) await failPoint?.("before-dispatch", wakeUp);
          await queue.enqueue(pool, wakeUps);
          room = Math.max(0, room - wakeUps.length);
          onDispatched(wakeUps.length);
        }
        // A full answer may have left more behind.
        if (wakeUps.length < asked) return isIdle() ? idlePauseMs : busyPauseMs;
      }
    },
  };
}
