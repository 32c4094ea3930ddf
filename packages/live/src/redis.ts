/**
 * The live channel on Redis: a capped stream per topic for the replay, a publication per flush for followers.
 *
 * 1. One script appends and publishes, so a stream id stands in the stream before any follower sees it.
 * 2. Stream ids come from the server's clock and rise within a topic, also after the stream expired.
 * 3. After a reconnect the topics are subscribed again first, and then the gap is read from the streams.
 */
import { BatonError } from "@baton/core";
import type { LivePort } from "@baton/core/ports";
import { LiveChannel } from "./channel.ts";
import type { Batch, Entry, Sink, Transport } from "./transport.ts";
import { replayCount, replayMs } from "./transport.ts";

/** The commands used here; an ioredis instance has them all. */
export interface RedisLiveConnection {
  eval(script: string, keyCount: number, ...args: (string | number)[]): Promise<unknown>;
  xrevrange(key: string, end: string, start: string, count: "COUNT", limit: number): Promise<[string, string[]][]>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "ready", listener: () => void): unknown;
  duplicate(override: {
    autoResubscribe: boolean;
    enableOfflineQueue: boolean;
    maxRetriesPerRequest: null;
    lazyConnect: boolean;
  }): RedisLiveConnection;
  disconnect(): void;
}

export interface RedisLiveOptions {
  /** For commands; stays the caller's. One more connection is made from it when somebody subscribes. */
  readonly connection: RedisLiveConnection;
  /** In front of every key and channel. Default `{baton}`. */
  readonly prefix?: string;
  readonly onError: (error: Error) => void;
}

export function createRedisLive(options: RedisLiveOptions): LivePort {
  return new LiveChannel(new RedisTransport(options), options.onError);
}

/**
 * KEYS: the streams, also the channels; the prefix keeps them in one slot of a cluster. ARGV: maximal length, lifetime
 * in ms, then for each stream the number of its payloads and the payloads.
 */
const appendScript = `
local at = 3
for _, key in ipairs(KEYS) do
  local told = {}
  local last = at + tonumber(ARGV[at])
  while at < last do
    at = at + 1
    told[#told + 1] = redis.call("XADD", key, "MAXLEN", "~", ARGV[1], "*", "p", ARGV[at])
    told[#told + 1] = ARGV[at]
  end
  at = at + 1
  redis.call("PEXPIRE", key, ARGV[2])
  redis.call("PUBLISH", key, table.concat(told, "\\n"))
end
return 0
`;

/** So many streams a call: Redis does nothing else meanwhile. */
const topicsPerCall = 100;

const cursorPattern = /^(\d{1,16})-(\d{1,16})$/;

class RedisTransport implements Transport {
  readonly kind = "redis";
  readonly #connection: RedisLiveConnection;
  readonly #prefix: string;
  readonly #onError: (error: Error) => void;
  #subscriber: RedisLiveConnection | undefined;

  constructor({ connection, prefix = "{baton}", onError }: RedisLiveOptions) {
    this.#connection = connection;
    this.#prefix = `${prefix}:live:`;
    this.#onError = onError;
  }

  #key(topic: string): string {
    return this.#prefix + topic;
  }

  async append(batches: readonly Batch[]): Promise<void> {
    const sent: Promise<unknown>[] = [];
    for (let from = 0; from < batches.length; from += topicsPerCall) {
      const some = batches.slice(from, from + topicsPerCall);
      const keys = some.map(({ topic }) => this.#key(topic));
      const payloads = some.flatMap((batch) => [batch.payloads.length, ...batch.payloads]);
      sent.push(this.#connection.eval(appendScript, keys.length, ...keys, replayCount, replayMs, ...payloads));
    }
    await Promise.all(sent);
  }

  async replay(topic: string, after: string | undefined): Promise<readonly Entry[]> {
    const start = after === undefined ? "-" : `(${after}`;
    const newest = await this.#connection.xrevrange(this.#key(topic), "+", start, "COUNT", replayCount);
    return newest.reverse().map(([cursor, fields]) => ({ cursor, payload: fields[1] ?? "null" }));
  }

  async follow(topic: string, sink: Sink): Promise<void> {
    this.#subscriber ??= this.#openSubscriber(sink);
    await this.#subscriber.subscribe(this.#key(topic));
  }

  async unfollow(topic: string): Promise<void> {
    await this.#subscriber?.unsubscribe(this.#key(topic));
  }

  #openSubscriber(sink: Sink): RedisLiveConnection {
    const subscriber = this.#connection.duplicate({
      // Resubscribing is ours: the gap may only be read once every topic is subscribed again.
      autoResubscribe: false,
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      lazyConnect: false,
    });
    let isFirst = true;
    subscriber.on("error", this.#onError);
    subscriber.on("message", (channel, message) => {
      sink.onEntries(channel.slice(this.#prefix.length), entriesOf(message));
    });
    subscriber.on("ready", () => {
      // Catching up subscribes each topic again before it reads, so nothing arrives that should have waited.
      if (!isFirst) sink.onGap();
      isFirst = false;
    });
    return subscriber;
  }

  checkCursor(cursor: string): void {
    if (!cursorPattern.test(cursor)) throw badCursor(cursor);
  }

  isAfter(cursor: string, other: string): boolean {
    const [ms = "0", no = "0"] = cursor.split("-");
    const [otherMs = "0", otherNo = "0"] = other.split("-");
    return ms === otherMs ? BigInt(no) > BigInt(otherNo) : BigInt(ms) > BigInt(otherMs);
  }

  async close(): Promise<void> {
    this.#subscriber?.disconnect();
  }
}

/** A publication is cursor, payload, cursor, payload …, one per line; JSON has no line break of its own. */
function entriesOf(message: string): Entry[] {
  const lines = message.split("\n");
  const entries: Entry[] = [];
  for (let index = 0; index + 1 < lines.length; index += 2) {
    entries.push({ cursor: lines[index]!, payload: lines[index + 1]! });
  }
  return entries;
}

function badCursor(cursor: string): BatonError {
  return new BatonError("invalid-cursor", `cursor ${JSON.stringify(cursor)} is not one that this live channel gave.`);
}
