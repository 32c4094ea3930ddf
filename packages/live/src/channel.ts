/**
 * The live channel: what is only interesting while it happens (tokens, progress).
 *
 * Purpose: from any process that performs to any process that shows, within a tenth of a second.
 * Boundary: lossy by contract; the end of anything is read from PostgreSQL. Clients of Redis and PostgreSQL
 * are handed in by the composition.
 *
 * 1. Followers of one process share the backend's subscription and are served in process.
 * 2. A late subscriber gets the last 1,000 messages of the last 10 minutes, then what follows.
 * 3. Trouble goes to `onError`; neither publisher nor subscriber fails by it, and both recover by themselves.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { LiveMessage, LivePort, LiveSubscription } from "@baton/core/ports";
import { Publisher } from "./publisher.ts";
import { Subscription } from "./subscription.ts";
import { checkTopic } from "./topic.ts";
import type { Entry, Transport } from "./transport.ts";

/** How long `subscribe` and `close` wait for a backend that does not answer. */
const patienceMs = 2_000;

export class LiveChannel implements LivePort {
  readonly #transport: Transport;
  readonly #onError: (error: Error) => void;
  readonly #publisher: Publisher;
  readonly #followed = new Map<string, Set<Subscription>>();

  constructor(transport: Transport, onError: (error: Error) => void) {
    this.#transport = transport;
    this.#onError = onError;
    this.#publisher = new Publisher(transport, onError);
  }

  get backend(): "redis" | "postgres" {
    return this.#transport.kind;
  }

  publish(topic: string, data: unknown): void {
    this.#publisher.publish(topic, data);
  }

  flush(): Promise<void> {
    return this.#publisher.flush();
  }

  async subscribe(
    topic: string,
    after: string | undefined,
    onMessage: (message: LiveMessage) => void,
  ): Promise<LiveSubscription> {
    checkTopic(topic);
    if (after !== undefined) this.#transport.checkCursor(after);
    const subscription = new Subscription({
      transport: this.#transport,
      topic,
      after,
      onMessage,
      onError: this.#onError,
    });
    const followers = this.#followed.get(topic) ?? new Set();
    this.#followed.set(topic, followers.add(subscription));
    await withinPatience(subscription.catchUp(() => this.#follow(topic)));
    return { close: () => this.#leave(subscription) };
  }

  #follow(topic: string): Promise<void> {
    return this.#transport.follow(topic, {
      onEntries: (named, entries) => this.#fanOut(named, entries),
      onLost: () => {
        for (const subscription of this.#subscriptions()) subscription.hold();
      },
      onGap: () => this.#closeGap(),
    });
  }

  #fanOut(topic: string, entries: readonly Entry[]): void {
    for (const subscription of this.#followed.get(topic) ?? []) subscription.receive(entries);
  }

  #subscriptions(): Subscription[] {
    return [...this.#followed.values()].flatMap((followers) => [...followers]);
  }

  #closeGap(): void {
    for (const subscription of this.#subscriptions()) {
      // It tries until it succeeds or the subscriber leaves, and reports by itself.
      void subscription.catchUp(() => this.#follow(subscription.topic));
    }
  }

  async #leave(subscription: Subscription): Promise<void> {
    subscription.leave();
    const followers = this.#followed.get(subscription.topic);
    if (followers?.delete(subscription) !== true || followers.size > 0) return;
    this.#followed.delete(subscription.topic);
    try {
      await withinPatience(this.#transport.unfollow(subscription.topic));
    } catch (error) {
      this.#onError(error as Error);
    }
  }

  async close(): Promise<void> {
    await withinPatience(this.#publisher.flush());
    for (const subscription of this.#subscriptions()) subscription.leave();
    this.#followed.clear();
    await withinPatience(this.#transport.close());
  }
}

async function withinPatience(promise: Promise<void>): Promise<void> {
  const enough = new AbortController();
  const patience = sleep(patienceMs, undefined, { signal: enough.signal }).catch(() => undefined);
  try {
    await Promise.race([promise, patience]);
  } finally {
    enough.abort();
  }
}
