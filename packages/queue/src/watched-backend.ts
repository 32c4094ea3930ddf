/**
 * BullMQ's PostgreSQL backend of one consumer, with an eye on its connections.
 *
 * 1. A connection that fell silent is noticed within two probes: the one that listens hears nothing by itself, and BullMQ
 *    trusts TCP with it, which takes minutes.
 * 2. When it is silent, so may be the idle ones of the pool: each of them would cost one answer's time, so they go too.
 */
import { type PostgresConnection, PostgresQueueBackend } from "bullmq";

type BackendOptions = ConstructorParameters<typeof PostgresQueueBackend>[2];

const probeMs = 5_000;

export class WatchedBackend extends PostgresQueueBackend {
  readonly #watched: PostgresConnection;
  readonly #timer: NodeJS.Timeout;
  #isProbing = false;

  constructor(connection: PostgresConnection, name: string, options: BackendOptions) {
    // Named after its queue, as BullMQ's own factory names the connection of a worker.
    super(connection, name, options, true, name);
    this.#watched = connection;
    this.#timer = setInterval(() => void this.#probe(), probeMs);
    this.#timer.unref();
  }

  override async close(force?: boolean): Promise<void> {
    clearInterval(this.#timer);
    await super.close(force);
  }

  async #probe(): Promise<void> {
    if (this.#isProbing) return;
    this.#isProbing = true;
    const client = await this.#watched.getListenClient().catch(() => undefined);
    try {
      // Rejects after the settings' query_timeout.
      await client?.query("select 1");
    } catch (error) {
      dropSocket(client, error as Error);
      await this.#dropIdle();
    } finally {
      this.#isProbing = false;
    }
  }

  /** Idle connections are handed out at once, without asking the server. */
  async #dropIdle(): Promise<void> {
    const { pool } = this.#watched;
    const idle = Array.from({ length: (pool as unknown as { idleCount: number }).idleCount }, async () => {
      (await pool.connect()).release(true);
    });
    await Promise.allSettled(idle);
  }
}

/** A half-open connection answers no goodbye. BullMQ opens another one when it hears of the error. */
function dropSocket(client: unknown, error: Error): void {
  (client as { connection?: { stream: { destroy(error: Error): void } } } | undefined)?.connection?.stream.destroy(
    error,
  );
}
