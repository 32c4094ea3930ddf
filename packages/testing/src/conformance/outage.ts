/** Servers that a suite stops and starts again at the same address, and the reason where there is none; PostgreSQL is in faults/. */
import { startTestRedis } from "../servers/redis-choice.ts";
import type { TestRedis, Unavailable } from "../servers/index.ts";

export interface StoppableServer {
  readonly url: string;
  /** Stops it and resolves when it is gone. */
  stop(): Promise<void>;
  /** Starts it again at the same URL. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A Redis of its own; a stop loses everything. */
export async function stoppableRedis(): Promise<(StoppableServer & { wipe(): Promise<void> }) | Unavailable> {
  const redis: TestRedis | Unavailable = await startTestRedis();
  if ("unavailable" in redis) return redis;
  const { url, kill, start, flushAll, close } = redis;
  return { url, stop: kill, start, wipe: flushAll, close };
}
