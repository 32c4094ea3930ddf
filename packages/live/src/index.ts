export { createPostgresLive } from "./postgres.ts";
export type { LiveListener, PostgresLiveOptions, PostgresLiveStore } from "./postgres.ts";
export { createRedisLive } from "./redis.ts";
export type { RedisLiveConnection, RedisLiveOptions } from "./redis.ts";
export type { Entry as LiveEntry } from "./transport.ts";
