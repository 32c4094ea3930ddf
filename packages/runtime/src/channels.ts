/** The queue, the live channel and the limiter: all three on Redis when it is named, else on PostgreSQL. */
import type { LivePort, LogPort, QueuePort, RateLimiter } from "@baton/core/ports";
import { createPostgresLive, createRedisLive } from "@baton/live";
import { createRedisLimiter, openPostgresQueue, openRedisConnection, openRedisQueue } from "@baton/queue";
import type { Store } from "@baton/store";
import type { Closers } from "./closers.ts";

export interface ChannelsOptions {
  readonly redisUrl: string | undefined;
  readonly databaseUrl: string;
  readonly store: Store;
  readonly troubleOf: (part: string) => (error: Error) => void;
  readonly log: LogPort;
}

/** What an attempt needs besides the store. */
export interface AttemptChannels {
  readonly live: LivePort;
  readonly limiter: RateLimiter;
}

export async function openQueue(options: ChannelsOptions, closers: Closers): Promise<QueuePort> {
  const { redisUrl: url, databaseUrl, troubleOf, log } = options;
  const onError = troubleOf("queue");
  const onWarning = (message: string) => log.warn("redis-setting", { message });
  const queue = await (url === undefined
    ? openPostgresQueue({ url: databaseUrl, onError })
    : openRedisQueue({ url, onError, onWarning }));
  closers.add("queue", () => queue.close());
  return queue;
}

export async function openAttemptChannels(options: ChannelsOptions, closers: Closers): Promise<AttemptChannels> {
  const channels = await (options.redisUrl === undefined
    ? channelsOnPostgres(options)
    : channelsOnRedis(options, options.redisUrl, closers));
  closers.add("live", async () => {
    await channels.live.flush();
    await channels.live.close();
  });
  return channels;
}

async function channelsOnPostgres({ store, troubleOf }: ChannelsOptions): Promise<AttemptChannels> {
  return { live: createPostgresLive({ store: store.live, onError: troubleOf("live") }), limiter: store.limiter };
}

async function channelsOnRedis(
  { troubleOf }: ChannelsOptions,
  url: string,
  closers: Closers,
): Promise<AttemptChannels> {
  const connection = await openRedisConnection(url, troubleOf("redis"));
  closers.add("redis", async () => connection.disconnect());
  return {
    live: createRedisLive({ connection, onError: troubleOf("live") }),
    limiter: createRedisLimiter({ connection }),
  };
}
