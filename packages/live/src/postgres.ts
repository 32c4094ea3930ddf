/**
 * The live channel on PostgreSQL: an unlogged table for the replay, one notification channel for followers.
 *
 * 1. One LISTEN per process carries every topic; it is fanned out in process.
 * 2. A topic's cursors rise in the order of commits, because the append locks the topic until it commits:
 *    a reader that sees a cursor has seen every lower one.
 * 3. A notification is topic, cursor and payload, one per line: at most 200 + 20 + 6,000 bytes of the 8,000.
 */
import { BatonError } from "@baton/core";
import type { LivePort } from "@baton/core/ports";
import { LiveChannel } from "./channel.ts";
import type { Batch, Entry, Sink, Transport } from "./transport.ts";
import { replayCount } from "./transport.ts";

/**
 * What the store does for the live channel, each call in a transaction of its own: append keeps the messages and
 * notifies `baton_live` in cursor order, replay gives the newest `limit` after a cursor, oldest first.
 */
export interface PostgresLiveStore {
  /** Parallel lists: the n-th payload goes to the n-th topic. */
  append(topics: readonly string[], payloads: readonly string[]): Promise<void>;
  replay(topic: string, after: string | undefined, limit: number): Promise<readonly Entry[]>;
  /** Listens until closed, on a connection that comes back by itself; rejects when the first one fails. */
  listen(channel: string, listener: LiveListener): Promise<{ close(): Promise<void> }>;
}

export interface LiveListener {
  onPayload(payload: string): void;
  /** The connection is gone. Always before a payload of the next one: those may arrive in one packet with LISTEN's answer. */
  onLost(): void;
  /** LISTEN is confirmed on a new connection. */
  onBack(): void;
}

export interface PostgresLiveOptions {
  readonly store: PostgresLiveStore;
  readonly onError: (error: Error) => void;
}

export function createPostgresLive(options: PostgresLiveOptions): LivePort {
  return new LiveChannel(new PostgresTransport(options.store), options.onError);
}

const notifyChannel = "baton_live";
const cursorPattern = /^\d{1,18}$/;

class PostgresTransport implements Transport {
  readonly kind = "postgres";
  readonly #store: PostgresLiveStore;
  readonly #topics = new Set<string>();
  #listening: Promise<{ close(): Promise<void> }> | undefined;
  /** Open while the connection is lost. */
  #away: PromiseWithResolvers<void> | undefined;

  constructor(store: PostgresLiveStore) {
    this.#store = store;
  }

  async append(batches: readonly Batch[]): Promise<void> {
    await this.#store.append(
      batches.flatMap(({ topic, payloads }) => payloads.map(() => topic)),
      batches.flatMap(({ payloads }) => payloads),
    );
  }

  replay(topic: string, after: string | undefined): Promise<readonly Entry[]> {
    return this.#store.replay(topic, after, replayCount);
  }

  async follow(topic: string, sink: Sink): Promise<void> {
    this.#topics.add(topic);
    this.#listening ??= this.#listen(sink);
    await this.#listening;
    await this.#away?.promise;
  }

  async #listen(sink: Sink): Promise<{ close(): Promise<void> }> {
    try {
      return await this.#store.listen(notifyChannel, {
        onPayload: (notification) => {
          const [topic = "", cursor = "", payload = ""] = notification.split("\n");
          if (this.#topics.has(topic)) sink.onEntries(topic, [{ cursor, payload }]);
        },
        onLost: () => {
          this.#away ??= Promise.withResolvers();
          sink.onLost();
        },
        onBack: () => {
          this.#away?.resolve();
          this.#away = undefined;
          sink.onGap();
        },
      });
    } catch (error) {
      this.#listening = undefined;
      throw error;
    }
  }

  async unfollow(topic: string): Promise<void> {
    this.#topics.delete(topic);
  }

  checkCursor(cursor: string): void {
    if (cursorPattern.test(cursor)) return;
    throw new BatonError("invalid-cursor", `cursor ${JSON.stringify(cursor)} is not one that this live channel gave.`);
  }

  isAfter(cursor: string, other: string): boolean {
    return BigInt(cursor) > BigInt(other);
  }

  async close(): Promise<void> {
    const listening = await this.#listening;
    await listening?.close();
  }
}
