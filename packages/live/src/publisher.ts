/**
 * The publishing side: what was published within 50 ms leaves together.
 *
 * 1. `publish` never throws and never waits; what cannot be sent is dropped and reported.
 * 2. One flush at a time, so messages of a topic keep their order.
 * 3. The buffer is bounded; while the backend is away it fills, and then new messages are dropped.
 * 4. An outage is reported when it begins, not at every flush.
 */
import { BatonError } from "@baton/core";
import { mergeDeltas } from "./merge.ts";
import type { Batch, Transport } from "./transport.ts";
import { checkTopic } from "./topic.ts";

const flushMs = 50;
const maxMessageBytes = 6_000;
const maxBufferBytes = 4 * 1024 * 1024;

interface Waiting {
  readonly data: unknown;
  readonly payload: string;
}

export class Publisher {
  readonly #transport: Transport;
  readonly #onError: (error: Error) => void;
  #buffer = new Map<string, Waiting[]>();
  #bufferBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #isTroubled = false;
  #isFull = false;

  constructor(transport: Transport, onError: (error: Error) => void) {
    this.#transport = transport;
    this.#onError = onError;
  }

  publish(topic: string, data: unknown): void {
    try {
      checkTopic(topic);
      this.#add(topic, data);
    } catch (error) {
      this.#onError(error as Error);
      return;
    }
    this.#timer ??= setTimeout(() => {
      void this.flush();
    }, flushMs);
  }

  #add(topic: string, data: unknown): void {
    const payload = encode(data);
    if (this.#bufferBytes + payload.length > maxBufferBytes) {
      if (!this.#isFull)
        this.#onError(new BatonError("internal", "The live channel's buffer is full: messages are dropped."));
      this.#isFull = true;
      return;
    }
    const waiting = this.#buffer.get(topic) ?? [];
    this.#buffer.set(topic, waiting);
    this.#bufferBytes += payload.length;
    const last = waiting.at(-1);
    const merged = last === undefined ? undefined : mergeDeltas(last.data, data);
    if (merged !== undefined) {
      const joined = JSON.stringify(merged);
      if (Buffer.byteLength(joined) <= maxMessageBytes) {
        waiting[waiting.length - 1] = { data: merged, payload: joined };
        return;
      }
    }
    waiting.push({ data, payload });
  }

  /** Resolves when what was published before has left, or was dropped and reported. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.then(() => this.#send());
    return this.#flushing;
  }

  async #send(): Promise<void> {
    if (this.#buffer.size === 0) return;
    const batches: Batch[] = [...this.#buffer].map(([topic, waiting]) => ({
      topic,
      payloads: waiting.map(({ payload }) => payload),
    }));
    this.#buffer = new Map();
    this.#bufferBytes = 0;
    this.#isFull = false;
    try {
      await this.#transport.append(batches);
      this.#isTroubled = false;
    } catch (error) {
      if (!this.#isTroubled) this.#onError(error as Error);
      this.#isTroubled = true;
    }
  }
}

function encode(data: unknown): string {
  const payload = JSON.stringify(data) as string | undefined;
  if (payload === undefined) {
    throw new BatonError(
      "invalid-request",
      "A live message has no JSON: publish an object, a list, a string or a number.",
    );
  }
  const bytes = Buffer.byteLength(payload);
  if (bytes > maxMessageBytes) {
    throw new BatonError(
      "payload-too-large",
      `A live message has ${bytes} bytes of JSON and may have ${maxMessageBytes}: split it, or send a reference.`,
    );
  }
  return payload;
}
