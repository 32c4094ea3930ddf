/** The server as a program: its settings, its port, and how one knows that it is ready. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { rename, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { BatonError } from "@baton/core";
import { spawnGuarded } from "../lifetime/guard.ts";
import type { Guarded } from "../lifetime/guard.ts";
import type { Binaries } from "./binaries.ts";
import { advice } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { folders, readPostmaster } from "./connection.ts";
import { queryOnce } from "./wire.ts";

export interface Server {
  readonly program: Guarded;
  readonly port: number;
}

export type Settings = Readonly<Record<string, string | number | boolean>>;

/** Recovery after a crash replays at most `max_wal_size`; two minutes is far beyond it on a slow disk. */
const startLimitMs = 120_000;
const maxLogBytes = 16 * 1024 * 1024;

/**
 * What passes by itself: somebody took the port between the look for a free one and the server's bind; backends of a
 * server that was killed have not yet noticed that it is gone.
 */
const passing = /Address already in use|pre-existing shared memory block/;
const maxTries = 12;

const always: Settings = {
  listen_addresses: "127.0.0.1",
  // A socket's path may have 107 bytes; a checkout's may have more.
  unix_socket_directories: "",
  cluster_name: "baton",
  // Tens of workers, each with a pool, a listener and the queue's own connections.
  max_connections: 200,
  shared_buffers: "128MB",
  max_wal_size: "2GB",
  checkpoint_timeout: "15min",
  wal_level: "minimal",
  max_wal_senders: 0,
  // Compiling a plan costs more than any of these short statements.
  jit: false,
  timezone: "UTC",
  log_timezone: "UTC",
  log_checkpoints: false,
  autovacuum_naptime: "15s",
};

/** For data that nobody misses after a power cut. */
const notDurable: Settings = { fsync: false, synchronous_commit: false, full_page_writes: false };

export interface ServerOptions {
  readonly dataDir: string;
  readonly durable: boolean;
  readonly settings: Settings;
  readonly preferredPort?: number;
}

export async function launchServer(options: ServerOptions, binaries: Binaries, cluster: Cluster): Promise<Server> {
  let port = options.preferredPort;
  for (let tries = 1; ; tries += 1) {
    port = await freePort(port);
    const outcome = await launchOn(port, options, binaries, cluster);
    if (typeof outcome !== "string") return { program: outcome, port };
    if (tries < maxTries && passing.test(outcome)) {
      if (/Address already in use/.test(outcome)) port = undefined;
      await delay(100 * tries);
      continue;
    }
    const tail = outcome.trim().split("\n").slice(-8).join("\n");
    throw new BatonError(
      "embedded-failed",
      `The private PostgreSQL in ${options.dataDir} did not start. ${advice(outcome)}\n${tail}`,
      { details: { log: outcome } },
    );
  }
}

/** The running program, or what its log said before it ended. */
async function launchOn(
  port: number,
  options: ServerOptions,
  binaries: Binaries,
  cluster: Cluster,
): Promise<Guarded | string> {
  const path = folders.log(options.dataDir);
  await rotate(path);
  const log = openSync(path, "a+", 0o600);
  try {
    const logFrom = fstatSync(log).size;
    const program = await spawnGuarded({
      command: binaries.postgres,
      args: serverArguments(port, options),
      env: { LC_ALL: "C", TZ: "UTC", LD_LIBRARY_PATH: binaries.libraries },
      cwd: folders.cluster(options.dataDir),
      output: log,
      // SIGINT is PostgreSQL's fast shutdown; what it writes then is bounded by shared_buffers.
      stopSignal: "INT",
      graceMs: 10_000,
      ...(cluster.user && { user: cluster.user }),
    });
    const problem = await untilReady(program, port, options.dataDir, cluster);
    if (problem === undefined) return program;
    await program.stop();
    return `${readFrom(log, logFrom)}\n${problem}`;
  } finally {
    closeSync(log);
  }
}

async function untilReady(
  program: Guarded,
  port: number,
  dataDir: string,
  cluster: Cluster,
): Promise<string | undefined> {
  let ended: string | undefined;
  void program.exited.then(({ code, signal }) => (ended = `The server ended with ${signal ?? code}.`));
  const until = performance.now() + startLimitMs;
  let last = "";
  while (ended === undefined && performance.now() < until) {
    const postmaster = await readPostmaster(dataDir);
    if (postmaster?.pid === program.pid && postmaster.ready) {
      try {
        await queryOnce({ ...cluster.connection, port, database: "postgres" }, "select 1");
        return undefined;
      } catch (error) {
        last = ` ${(error as Error).message}.`;
      }
    }
    await delay(10);
  }
  return ended ?? `The server was not ready within ${startLimitMs} ms.${last}`;
}

function serverArguments(port: number, options: ServerOptions): string[] {
  const settings: Settings = { ...always, ...(options.durable ? {} : notDurable), ...options.settings, port };
  return ["-D", "/proc/self/cwd", ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
}

async function freePort(preferred: number | undefined): Promise<number> {
  for (const wanted of preferred === undefined ? [0] : [preferred, 0]) {
    const port = await new Promise<number | undefined>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(undefined));
      server.listen(wanted, "127.0.0.1", () => {
        const address = server.address();
        server.close(() => resolve(address !== null && typeof address === "object" ? address.port : undefined));
      });
    });
    if (port !== undefined) return port;
  }
  throw new BatonError("embedded-failed", "No port is free on 127.0.0.1. Free some, or set DATABASE_URL.");
}

async function rotate(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > maxLogBytes) await rename(path, `${path}.1`);
}

function readFrom(file: number, from: number): string {
  const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - from));
  readSync(file, bytes, 0, bytes.length, from);
  return bytes.toString("utf8");
}
