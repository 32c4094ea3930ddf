/**
 * One BullMQ worker as this room needs it.
 *
 * 1. `lastAnswerAt` is when the backend last answered "which message is next?", with one or with none:
 *    the fetch itself is observed, so a loop that hangs, or a connection that is gone, leaves it stale.
 *    While every slot is taken nobody asks, and it may grow old.
 * 2. After `stopTaking()` no fetch asks for a message, also not one that was waiting for a notification. A
 *    question that is already on its way may bring one more.
 * 3. The main loop has an owner: when it ends without `close` or `pause`, it is started again.
 * 4. A failed fetch waits before the next one: BullMQ repeats errors that are not connection errors
 *    ("the database system is starting up") without a pause.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "bullmq";
import type { BackendFactory, IQueueBackend, Job, RedisQueueBackend, WorkerOptions } from "bullmq";
import { keptAfter } from "./retention.ts";

export type Perform = (data: unknown) => Promise<void>;

const retryAfterMs = 250;
/** Of ioredis: there is a socket to close. */
const connected = new Set(["connecting", "connect", "ready"]);
/** BullMQ's answer for "no message": data, id, rate limit delay, next delayed message. */
const noMessage = [undefined, undefined, 0, 0];

export class PoolWorker extends Worker<unknown, void, string, IQueueBackend, never, never> {
  lastAnswerAt = 0;
  #taking = true;

  static open<C>(
    name: string,
    perform: Perform,
    options: WorkerOptions<C>,
    factory: BackendFactory<IQueueBackend, C>,
  ): PoolWorker {
    return new PoolWorker(
      name,
      perform,
      options as unknown as WorkerOptions<never>,
      factory as unknown as BackendFactory<IQueueBackend, never>,
    );
  }

  private constructor(
    name: string,
    perform: Perform,
    options: WorkerOptions<never>,
    factory: BackendFactory<IQueueBackend, never>,
  ) {
    let completions = 0;
    const performJob = (job: Job): Promise<void> => {
      job.opts.removeOnComplete = keptAfter(completions);
      completions += 1;
      return perform(job.data);
    };
    super(name, performJob, options, factory);
    this.#observe();
  }

  #observe(): void {
    const { backend } = this;
    const fetch = backend.moveToActive.bind(backend);
    backend.moveToActive = async (token, workerName) => {
      if (!this.#taking) return noMessage;
      try {
        const answer = await fetch(token, workerName);
        this.lastAnswerAt = Date.now();
        return answer;
      } catch (error) {
        await sleep(retryAfterMs);
        throw error;
      }
    };
    this.on("active", () => {
      this.lastAnswerAt = Date.now();
    });
  }

  /** Takes nothing from now on, at once; `shut` or `reopen` has to follow. */
  stopTaking(): void {
    this.#taking = false;
  }

  /** Lets the loop rest; what is in flight goes on. */
  async shut(): Promise<void> {
    this.#taking = false;
    await super.pause(true);
    // A wait for a notification would end with another consumer's wake-up in hand.
    if (await this.#isConnected()) await this.backend.disconnectBlocking(false);
  }

  /**
   * False while the connection that waits is coming back: to disconnect it then would cancel its return, and ioredis
   * leaves it "reconnecting" for ever.
   */
  async #isConnected(): Promise<boolean> {
    const client = await (this.backend as Partial<RedisQueueBackend>).blockingClient;
    return client === undefined || connected.has(client.status);
  }

  async reopen(): Promise<void> {
    this.#taking = true;
    try {
      await this.backend.reconnectBlocking();
    } finally {
      // Also when the server is away: the connection goes on trying by itself.
      await super.resume();
    }
  }

  override async close(force = false): Promise<void> {
    this.#taking = false;
    await super.close(force);
  }

  override async run(): Promise<void> {
    while (!this.closing && !this.isPaused()) {
      try {
        await super.run();
      } catch (error) {
        this.emit("error", error as Error);
        await sleep(retryAfterMs);
      }
      // A resume that came while the loop was ending has started the next one already.
      if (this.isRunning()) return;
    }
  }

  /** Cuts the connections without waiting for anything in flight; `close` has been called before. */
  async cut(): Promise<void> {
    await this.backend.close(true);
  }
}
