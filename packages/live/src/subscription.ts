/**
 * One subscriber of one topic: the replay first, then what follows.
 *
 * 1. The transport follows the topic before the replay is read, and what arrives meanwhile waits: nothing
 *    is missing between the two.
 * 2. A message whose cursor is not after the last one delivered is dropped: nothing comes twice.
 * 3. A replay that cannot be read is tried again until it can, or until the subscriber leaves.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { LiveMessage } from "@baton/core/ports";
import type { Entry, Transport } from "./transport.ts";

const retryMs = 500;

export interface SubscriptionParts {
  readonly transport: Transport;
  readonly topic: string;
  readonly after: string | undefined;
  readonly onMessage: (message: LiveMessage) => void;
  readonly onError: (error: Error) => void;
}

export class Subscription {
  readonly #parts: SubscriptionParts;
  readonly #left = new AbortController();
  #last: string | undefined;
  #waiting: Entry[] | undefined = [];
  #round = 0;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.#last = parts.after;
  }

  get topic(): string {
    return this.#parts.topic;
  }

  receive(entries: readonly Entry[]): void {
    if (this.#waiting === undefined) this.#deliver(entries);
    else this.#waiting.push(...entries);
  }

  /** Delivers nothing until the next `catchUp`: something may be missing before it. */
  hold(): void {
    this.#round += 1;
    this.#waiting ??= [];
  }

  /** Reads the replay after the last delivered message; `follow` resolves when the topic is followed. */
  async catchUp(follow: () => Promise<void>): Promise<void> {
    const round = ++this.#round;
    this.#waiting ??= [];
    const isOver = () => this.#left.signal.aborted || round !== this.#round;
    for (let isReported = false; !isOver(); ) {
      try {
        await follow();
        const entries = await this.#parts.transport.replay(this.topic, this.#last);
        if (isOver()) return;
        this.#deliver(entries);
        const waiting = this.#waiting ?? [];
        this.#waiting = undefined;
        this.#deliver(waiting);
        return;
      } catch (error) {
        if (!isReported && !isOver()) this.#parts.onError(error as Error);
        isReported = true;
        await sleep(retryMs, undefined, { signal: this.#left.signal }).catch(() => undefined);
      }
    }
  }

  leave(): void {
    this.#left.abort();
  }

  #deliver(entries: readonly Entry[]): void {
    const { transport, onMessage, onError } = this.#parts;
    for (const { cursor, payload } of entries) {
      if (this.#left.signal.aborted) return;
      if (this.#last !== undefined && !transport.isAfter(cursor, this.#last)) continue;
      this.#last = cursor;
      try {
        onMessage({ cursor, data: JSON.parse(payload) as unknown });
      } catch (error) {
        onError(error as Error);
      }
    }
  }
}
