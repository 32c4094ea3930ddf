/** Servers that a suite stops and starts again at the same address, and the reason where there is none. */
import { rm } from "node:fs/promises";
import { startPostgres } from "@baton/embedded";
import type { EmbeddedPostgres } from "@baton/embedded";
import { startTestRedis } from "../servers/redis-choice.ts";
import type { TestRedis, Unavailable } from "../servers/index.ts";
import { scratchFolder } from "../servers/scratch.ts";

export interface StoppableServer {
  readonly url: string;
  /** Stops it and resolves when it is gone. */
  stop(): Promise<void>;
  /** Starts it again at the same URL. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A PostgreSQL of its own; what was committed survives a stop. */
export async function stoppablePostgres(): Promise<StoppableServer> {
  const dataDir = await scratchFolder("postgres");
  let server: EmbeddedPostgres | undefined = await startPostgres({ dataDir, durable: false });
  const { url } = server;
  const stop = async () => {
    await server?.stop();
    server = undefined;
  };
  return {
    url,
    stop,
    async start() {
      server ??= await startPostgres({ dataDir, durable: false });
      if (server.url !== url) throw new Error(`PostgreSQL came back at another address than ${new URL(url).host}`);
    },
    async close() {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A Redis of its own; a stop loses everything. */
export async function stoppableRedis(): Promise<(StoppableServer & { wipe(): Promise<void> }) | Unavailable> {
  const redis: TestRedis | Unavailable = await startTestRedis();
  if ("unavailable" in redis) return redis;
  const { url, kill, start, flushAll, close } = redis;
  return { url, stop: kill, start, wipe: flushAll, close };
}
