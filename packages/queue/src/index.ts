export { openPostgresQueue } from "./postgres.ts";
export type { PostgresQueueOptions } from "./postgres.ts";
export { openRedisQueue } from "./redis.ts";
export type { RedisQueueOptions } from "./redis.ts";
export { queueBoardQueues } from "./board.ts";
export { openRedisConnection } from "./connection.ts";
export { createRedisLimiter } from "./limiter.ts";
export type { RedisLimiterOptions } from "./limiter.ts";
