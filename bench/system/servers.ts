/**
 * The servers under the bench: a private PostgreSQL that flushes every commit to the disk, and a Redis as
 * docker-compose.yml ships it. One of each per run; every system under measurement has a database of its own.
 *
 * 1. Both are started here, on free ports, and leave with this process. Nothing else on the machine is used.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startPostgres } from "@baton/embedded";
import { spawnGuarded } from "@baton/embedded/guard";
import { freePort } from "./program.ts";

/** As in docker-compose.yml. */
export const redisSettings = ["--appendonly", "yes", "--maxmemory-policy", "noeviction"];

interface Server {
  readonly url: string;
  readonly pid: number;
}

export interface Redis extends Server {
  stop(): Promise<void>;
}

export interface Servers {
  /** A superuser's URL. */
  readonly postgres: Server;
  /** Undefined where there is no `redis-server` on PATH. */
  readonly startRedis: (() => Promise<Redis>) | undefined;
  /** Gone after the run. */
  readonly folder: string;
  stop(): Promise<void>;
  /** At once, for a process that leaves and takes the servers along. */
  remove(): void;
}

export async function startServers(): Promise<Servers> {
  const folder = await mkdtemp(join(tmpdir(), "baton-bench-"));
  const dataDir = join(folder, "postgres");
  const postgres = await startPostgres({ dataDir, durable: true });
  const pid = Number(readFileSync(join(dataDir, "postgres", "postmaster.pid"), "utf8").split("\n")[0]);
  const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;
  return {
    postgres: { url: postgres.url, pid },
    startRedis: hasRedis ? () => startRedis(folder) : undefined,
    folder,
    async stop() {
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Empty at its start: queues of earlier systems are not its to keep. */
async function startRedis(parent: string): Promise<Redis> {
  const port = await freePort();
  const folder = join(parent, `redis-${port}`);
  await mkdir(folder);
  const output = openSync(join(folder, "redis.log"), "a");
  const server = await spawnGuarded({
    command: "redis-server",
    args: ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, ...redisSettings],
    env: {},
    cwd: folder,
    output,
    stopSignal: "TERM",
    graceMs: 10_000,
  });
  closeSync(output);
  const until = performance.now() + 30_000;
  while (!(await accepts(port))) {
    if (performance.now() > until) throw new Error(`Redis on port ${port} is not ready.`);
    await delay(10);
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: server.pid,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
