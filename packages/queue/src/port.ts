/**
 * The queue: wake-ups on BullMQ, behind the port of @baton/core.
 *
 * Purpose: carry ids from where a step became ready to a worker with a free slot, on Redis or PostgreSQL.
 * Boundary: the only room with bullmq and ioredis; it knows no step, no outcome and no retry.
 *
 * 1. One BullMQ queue per pool.
 * 2. `enqueue` answers within a bounded time, whatever the backend does. When it gave up waiting, the
 *    messages may still arrive: a wake-up may be repeated.
 * 3. BullMQ's QueueEvents are not used: on PostgreSQL they lose 9–10 % of the events at concurrency 4.
 */
import type { JobState } from "bullmq";
import { BatonError } from "@baton/core";
import type { ConsumeOptions, QueueConsumer, QueueDepth, QueuePort, WakeUp } from "@baton/core/ports";
import type { Backend, MessageQueue } from "./backend.ts";
import { openConsumer } from "./consumer.ts";
import { within } from "./deadline.ts";
import { checkedWakeUp, messageId, queueName } from "./messages.ts";
import { unavailable } from "./unavailable.ts";

/** An answer later than this counts as none. 10,000 messages take 0.4 s on two cores, so large batches get more. */
const answerMs = 1_000;
const answerMsPerMessage = 0.5;
const startMs = 10_000;
const closeMs = 1_000;

export class BullQueue implements QueuePort {
  readonly #backend: Backend;
  readonly #onError: (error: Error) => void;
  readonly #queues = new Map<string, MessageQueue>();
  readonly #consumers = new Set<QueueConsumer>();
  #closed = false;
  #answeringSince: number | undefined;

  constructor(backend: Backend, onError: (error: Error) => void) {
    this.#backend = backend;
    this.#onError = onError;
  }

  get backend(): "redis" | "postgres" {
    return this.#backend.kind;
  }

  get answeringSince(): number | undefined {
    return this.#answeringSince;
  }

  async enqueue(pool: string, wakeUps: readonly WakeUp[]): Promise<void> {
    const queue = this.queue(pool);
    const messages = wakeUps.map((wakeUp) => {
      const data = checkedWakeUp(wakeUp);
      return { name: "step", data, opts: { jobId: messageId(data) } };
    });
    if (messages.length === 0) return;
    await this.#ask(`${messages.length} wake-ups were not sent`, messages.length, () => queue.addBulk(messages));
  }

  async consume(options: ConsumeOptions): Promise<QueueConsumer> {
    this.#refuseWhenClosed();
    const consumer = await openConsumer(this.#backend, options, startMs);
    this.#consumers.add(consumer);
    return consumer;
  }

  async depth(pool: string): Promise<QueueDepth> {
    const queue = this.queue(pool);
    const counts = await this.#ask("the depth is not known", 0, () => queue.getJobCounts("wait", "active"));
    return { waiting: counts["wait"] ?? 0, active: counts["active"] ?? 0 };
  }

  async jobState(pool: string, wakeUp: WakeUp): Promise<JobState | "unknown"> {
    const queue = this.queue(pool);
    const id = messageId(checkedWakeUp(wakeUp));
    return await this.#ask("the message's state is not known", 0, () => queue.getJobState(id));
  }

  /** False when there is no such message, or a worker holds it. */
  async removeJob(pool: string, wakeUp: WakeUp): Promise<boolean> {
    const queue = this.queue(pool);
    const id = messageId(checkedWakeUp(wakeUp));
    return (await this.#ask("the message was not removed", 0, () => queue.remove(id))) === 1;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#consumers].map((consumer) => consumer.close(closeMs)));
    const ended = Promise.all([...this.#queues.values()].map((queue) => queue.close())).then(() =>
      this.#backend.close(),
    );
    await within(closeMs, ended, () => this.#backend.close());
  }

  /** The pool's BullMQ queue, opened on first use. */
  queue(pool: string): MessageQueue {
    this.#refuseWhenClosed();
    const name = queueName(pool);
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = this.#backend.openQueue(name);
      queue.on("error", this.#onError);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  async #ask<T>(consequence: string, messageCount: number, call: () => Promise<T>): Promise<T> {
    const { kind } = this.#backend;
    if (!this.#backend.isReachable()) {
      this.#answeringSince = undefined;
      throw unavailable(kind, consequence);
    }
    try {
      const answer = await within(answerMs + messageCount * answerMsPerMessage, call());
      this.#answeringSince ??= Date.now();
      return answer;
    } catch (cause) {
      this.#answeringSince = undefined;
      throw unavailable(kind, consequence, cause);
    }
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new BatonError("queue-unavailable", "The queue is closed: this process is shutting down.");
  }
}

/** What stands behind the port; `caller` is named to whoever hands in another one. */
export function bullQueueOf(port: QueuePort, caller: string): BullQueue {
  if (port instanceof BullQueue) return port;
  throw new BatonError("internal", `${caller} needs a port that openRedisQueue or openPostgresQueue opened.`);
}
