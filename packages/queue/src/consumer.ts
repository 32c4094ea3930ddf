/**
 * One pool's consumer: BullMQ's worker seen through the port.
 *
 * 1. `perform` is awaited: the message stays active while its step is performed.
 * 2. No outcome of a step reaches BullMQ: a rejection is reported and the message is done.
 * 3. `close` keeps to `graceMs`: BullMQ's own close has no limit.
 */
import type { ConsumeOptions, QueueConsumer } from "@baton/core/ports";
import type { Backend } from "./backend.ts";
import { within } from "./deadline.ts";
import { checkedWakeUp, queueName } from "./messages.ts";
import { unavailable } from "./unavailable.ts";
import type { PoolWorker } from "./worker.ts";

/** What is kept of the grace for cutting connections. */
const cutMs = 250;

export async function openConsumer(backend: Backend, options: ConsumeOptions, startMs: number): Promise<QueueConsumer> {
  const consumer = new PoolConsumer(backend, options);
  try {
    await consumer.start(startMs);
  } catch (cause) {
    await consumer.close(0);
    throw unavailable(backend.kind, `the pool "${options.pool}" has no consumer`, cause);
  }
  return consumer;
}

class PoolConsumer implements QueueConsumer {
  readonly #worker: PoolWorker;
  readonly #options: ConsumeOptions;
  #active = 0;
  #closed: Promise<void> | undefined;
  #wanted: "open" | "shut" = "open";
  #turn: Promise<void> = Promise.resolve();

  constructor(backend: Backend, options: ConsumeOptions) {
    this.#options = options;
    this.#worker = backend.openWorker({
      queueName: queueName(options.pool),
      slots: options.slots,
      perform: (data) => this.#perform(data),
    });
    this.#worker.on("error", (error) => {
      // Cutting the connections makes what waited on them fail; that is no news.
      if (this.#closed === undefined) options.onError(error);
    });
  }

  get activeCount(): number {
    return this.#active;
  }

  get lastLookedAt(): number {
    return this.#worker.lastAnswerAt;
  }

  async start(startMs: number): Promise<void> {
    await within(startMs, this.#worker.waitUntilReady());
    // The loop reports its own errors and ends with close().
    void this.#worker.run();
  }

  async #perform(data: unknown): Promise<void> {
    this.#active += 1;
    try {
      await this.#options.perform(checkedWakeUp(data));
    } catch (error) {
      this.#options.onError(error instanceof Error ? error : new Error(String(error), { cause: error }));
    } finally {
      this.#active -= 1;
    }
  }

  async pause(): Promise<void> {
    this.#wanted = "shut";
    this.#worker.stopTaking();
    this.#follow();
  }

  resume(): void {
    this.#wanted = "open";
    this.#follow();
  }

  /** Brings the worker to what was wanted last, one change at a time. */
  #follow(): void {
    this.#turn = this.#turn.then(async () => {
      if (this.#closed !== undefined) return;
      try {
        await (this.#wanted === "open" ? this.#worker.reopen() : this.#worker.shut());
      } catch (error) {
        this.#options.onError(error as Error);
      }
    });
  }

  close(graceMs: number): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    await within(Math.max(0, graceMs - cutMs), this.#worker.close(), () =>
      within(cutMs, this.#worker.cut(), () => undefined),
    );
  }
}
