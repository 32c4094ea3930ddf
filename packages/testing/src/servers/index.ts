/**
 * Real servers for tests.
 *
 * Purpose: a PostgreSQL and a Redis that belong to the test alone. Boundary: no schema and no client; nothing that
 * already runs on the machine is used.
 *
 * 1. Free ports on loopback, data below the system's temporary folder; both are gone after the run.
 * 2. A killed test run leaves no server behind, and the next one removes its folders.
 * 3. What a machine cannot give is a reason that is printed, never a silent pass.
 */
export { startTestPostgres } from "./postgres.ts";
export type { TestPostgres } from "./postgres.ts";
export { redisUnavailable, startTestRedis } from "./redis-choice.ts";
export type { Unavailable } from "./redis-choice.ts";
export type { TestRedis } from "./redis.ts";
