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

export interface Channels {
  readonly queue: QueuePort;
  readonly live: LivePort;
  readonly limiter: RateLimiter;
}

export async function openChannels(options: ChannelsOptions, closers: Closers): Promise<Channels> {
  const channels = await (options.redisUrl === undefined
    ? openOnPostgres(options)
    : openOnRedis(options, options.redisUrl, closers));
  closers.add("queue", () => channels.queue.close());
  closers.add("live", async () => {
    await channels.live.flush();
    await channels.live.close();
  });
  return channels;
}

async function openOnPostgres({ databaseUrl, store, troubleOf }: ChannelsOptions): Promise<Channels> {
  return {
    queue: await openPostgresQueue({ url: databaseUrl, onError: troubleOf("queue") }),
    live: createPostgresLive({ store: store.live, onError: troubleOf("live") }),
    limiter: store.limiter,
  };
}

async function openOnRedis({ troubleOf, log }: ChannelsOptions, url: string, closers: Closers): Promise<Channels> {
  const connection = await openRedisConnection(url, troubleOf("redis"));
  closers.add("redis", async () => connection.disconnect());
  const onWarning = (message: string) => log.warn("redis-setting", { message });
  return {
    queue: await openRedisQueue({ url, onError: troubleOf("queue"), onWarning }),
    live: createRedisLive({ connection, onError: troubleOf("live") }),
    limiter: createRedisLimiter({ connection }),
  };
}
