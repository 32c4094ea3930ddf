/**
 * What the two backends have in common, and the BullMQ settings that hold for both.
 *
 * 1. BullMQ decides nothing about a step: one attempt per message, no retry, no delay, and a message
 *    that is found stalled goes back to waiting however often.
 * 2. A message stays locked for `lockMs`: far longer than a busy event loop keeps a renewal back. A dead
 *    worker's messages lie that long, and nobody waits for them: the step is dispatched anew.
 */
import type { IQueueBackend, Queue, WorkerOptions } from "bullmq";
import { kept } from "./retention.ts";
import type { PoolWorker, Perform } from "./worker.ts";

/** A BullMQ queue whatever its backend. */
export type MessageQueue = Queue<unknown, unknown, string, unknown, unknown, string, IQueueBackend, never>;

export interface WorkerParts {
  readonly queueName: string;
  readonly slots: number;
  readonly perform: Perform;
}

export interface Backend {
  readonly kind: "redis" | "postgres";
  openQueue(queueName: string): MessageQueue;
  openWorker(parts: WorkerParts): PoolWorker;
  /** False when the connection is known to be down: an enqueue is refused without trying. */
  isReachable(): boolean;
  /** Ends what the queues of this process share. */
  close(): Promise<void>;
}

const lockMs = 5 * 60_000;
/** The largest count that PostgreSQL's integer and Lua's double both hold. */
const noLimit = 2_000_000_000;
export const queueSettings = {
  // How many completed ones are kept is decided when one completes (`keptAfter`).
  defaultJobOptions: { attempts: 1, removeOnFail: kept, keepLogs: 0, stackTraceLimit: 3 },
  // Nothing reads BullMQ's events; its default keeps 10,000 of them per queue.
  streams: { events: { maxLen: 100 } },
} as const;

export const workerSettings = {
  autorun: false,
  lockDuration: lockMs,
  stalledInterval: 60_000,
  maxStalledCount: noLimit,
  // An idle consumer asks again this often even when no notification comes, in seconds.
  drainDelay: 5,
  runRetryDelay: 1_000,
  removeOnFail: kept,
} as const satisfies Omit<WorkerOptions, "connection">;
