/**
 * What networks and servers do to a connection, done on purpose and counted.
 *
 * Purpose: faults for tests of recovery. Boundary: servers that the test started itself, and TCP on loopback; nothing
 * here knows a verb or a row.
 *
 * 1. A proxy changes a URL and nothing else: whoever is given it talks to the same server.
 * 2. What was done is counted when it happened, so that a test can tell a fault that met nobody.
 * 3. A lost reply is the reply of a statement that the server has committed, never of one that may have failed.
 */
export { startTcpProxy } from "./tcp-proxy.ts";
export type { ProxyCounts, TcpProxy } from "./tcp-proxy.ts";
export type { Link, Loss, Select } from "./link.ts";
export { startFaultyPostgres, terminateBackends } from "./postgres-server.ts";
export type { FaultyPostgres } from "./postgres-server.ts";
export { killRedisClients, loseRedis } from "./redis-server.ts";
