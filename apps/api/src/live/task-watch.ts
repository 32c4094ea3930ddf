/**
 * Waits for a task to move.
 *
 * Purpose: one place where readers of a task wait, woken by the live channel and, because that may lose
 * anything, by time. Boundary: says that something may have moved; what it is, is read from the store.
 *
 * 1. At most `maxHeld` live messages are held for a slow reader; older ones go first (lossy by contract).
 * 2. A live channel that does not answer makes it slower, never wrong.
 */
import type { LogPort, LivePort, LiveSubscription } from "@baton/core/ports";

export interface TaskWatch {
  /** Resolves to what woke it: the task moved, a live message came, `ms` passed, or the reader left. */
  next(ms: number): Promise<"moved" | "live" | "time" | "left">;
  /** Live messages since the last call, "moved" left out. */
  take(): readonly unknown[];
  close(): Promise<void>;
}

const maxHeld = 2_000;

const taskTopic = (taskId: string): string => `task:${taskId}`;

const kindOf = (data: unknown): unknown =>
  typeof data === "object" && data !== null ? (data as { kind?: unknown }).kind : undefined;

export async function watchTask(live: LivePort, log: LogPort, taskId: string, signal: AbortSignal): Promise<TaskWatch> {
  let held: unknown[] = [];
  let moved = false;
  let wake: (() => void) | undefined;
  const ring = () => wake?.();
  signal.addEventListener("abort", ring);
  const onMessage = (data: unknown) => {
    if (kindOf(data) === "moved") moved = true;
    else if (held.push(data) > maxHeld) held = held.slice(-maxHeld);
    ring();
  };
  let subscription: LiveSubscription | undefined;
  try {
    subscription = await live.subscribe(taskTopic(taskId), undefined, ({ data }) => onMessage(data));
  } catch (error) {
    log.warn("live-subscribe-failed", { taskId, error });
  }
  const woken = (): "moved" | "live" | "left" | undefined => {
    if (signal.aborted) return "left";
    if (moved) {
      moved = false;
      return "moved";
    }
    return held.length > 0 ? "live" : undefined;
  };
  return {
    async next(ms) {
      const already = woken();
      if (already !== undefined) return already;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      wake = undefined;
      return woken() ?? "time";
    },
    take() {
      const taken = held;
      held = [];
      return taken;
    },
    async close() {
      signal.removeEventListener("abort", ring);
      await subscription?.close();
    },
  };
}
