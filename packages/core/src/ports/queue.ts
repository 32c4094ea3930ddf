/**
 * The port to the queue.
 *
 * Purpose: carry wake-ups from where a step became ready to a worker with a free slot.
 * Boundary: ids only; the truth is in PostgreSQL.
 *
 * 1. A wake-up may be lost, repeated, late or out of order.
 * 2. The queue never retries a step and never decides that one failed.
 */

/** "This step may be claimed." Under a new `dispatchNo` it is a new message. */
export interface WakeUp {
  readonly tenantId: string;
  readonly taskId: string;
  readonly stepId: string;
  readonly dispatchNo: number;
}

export interface QueueDepth {
  /** Messages nobody took yet. */
  readonly waiting: number;
  /** Messages a worker holds. */
  readonly active: number;
}

export interface QueueConsumer {
  /** Messages being performed right now. */
  readonly activeCount: number;
  /** Unix ms of the last time the consumer took a message or asked for one and found none. */
  readonly lastLookedAt: number;
  /** Takes no further message; resolves at once. What is in flight goes on. */
  pause(): Promise<void>;
  resume(): void;
  /** Stops within `graceMs` even when the backend does not answer. */
  close(graceMs: number): Promise<void>;
}

export interface ConsumeOptions {
  readonly pool: string;
  /** How many wake-ups are performed at once. */
  readonly slots: number;
  /** Never rejects in normal operation; a rejection is logged through `onError` and the message dropped. */
  readonly perform: (wakeUp: WakeUp) => Promise<void>;
  /** Connection trouble, for logs and metrics. */
  readonly onError: (error: Error) => void;
}

export interface QueuePort {
  readonly backend: "redis" | "postgres";
  /** Unix ms since when the queue has answered whatever this process asked; undefined while it does not. */
  readonly answeringSince: number | undefined;
  /** Puts all wake-ups on the pool's queue in one call. Rejects with `queue-unavailable` without waiting for a reconnect. */
  enqueue(pool: string, wakeUps: readonly WakeUp[]): Promise<void>;
  consume(options: ConsumeOptions): Promise<QueueConsumer>;
  depth(pool: string): Promise<QueueDepth>;
  close(): Promise<void>;
}
