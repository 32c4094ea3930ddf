/**
 * Baton under measurement: one api and n workers as processes, on a database of their own.
 *
 * 1. The mains of apps/, configured by the environment, with what is shipped where a measure sets nothing.
 * 2. The database is reached by an ordinary role that row-level security binds, as in production.
 */
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTestDatabase } from "@baton/testing/databases";
import type { TestDatabase } from "@baton/testing/databases";
import { freePort, startProgram } from "./program.ts";
import type { Program } from "./program.ts";
import type { Redis, Servers } from "./servers.ts";
import { processorSeconds, residentMegabytes, treeSeconds } from "./usage.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export const backends = ["redis", "postgres"] as const;
/** Which of its two backends BullMQ runs on. */
export type Backend = (typeof backends)[number];

/** Where the processor time goes. */
export const parts = ["api", "workers", "postgres", "redis", "driver"] as const;
export type Part = (typeof parts)[number];
/** Processor seconds per part. */
export type Usage = Readonly<Record<Part, number>>;

export interface SystemOptions {
  readonly servers: Servers;
  readonly backend: Backend;
  readonly workers: number;
  /** Of the api and the workers. */
  readonly env?: Readonly<Record<string, string>>;
  /** Folder for a processor profile of every process. */
  readonly profile?: string | undefined;
  /** Instead of a new database; it is not dropped. */
  readonly database?: TestDatabase;
}

export interface System {
  readonly url: string;
  readonly key: string;
  readonly database: TestDatabase;
  readonly workers: readonly Worker[];
  /** Since their starts; the driver's is added by whoever has it. */
  usage(): Omit<Usage, "driver">;
  /** Of the largest worker, in MB. */
  workerMegabytes(): number;
  /** The ends of what its processes printed. */
  printed(): string;
  stop(): Promise<void>;
}

export interface Worker extends Program {
  /** Of its health port. */
  readonly url: string;
}

let serial = 0;

export async function startSystem(options: SystemOptions): Promise<System> {
  const { servers, backend } = options;
  const folder = join(servers.folder, `system-${++serial}`);
  await mkdir(folder);
  const database = options.database ?? (await createTestDatabase(servers.postgres.url));
  const redis = backend === "redis" ? await servers.startRedis?.() : undefined;
  if (backend === "redis" && redis === undefined) throw new Error("There is no redis-server on PATH.");
  const key = `bench_${randomBytes(24).toString("hex")}`;
  const apiPort = await freePort();
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    NODE_COMPILE_CACHE: join(servers.folder, "compile-cache"),
    // Memory as in the image.
    NODE_OPTIONS: "--max-semi-space-size=16",
    MALLOC_ARENA_MAX: "2",
    DATABASE_URL: database.url,
    ...(redis !== undefined && { REDIS_URL: redis.url }),
    BATON_PORT: String(apiPort),
    BATON_API_KEY: key,
    BATON_TOOLS: join(root, "bench", "tools"),
    ...options.env,
  };
  const profiling = options.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${options.profile}`];
  const start = (name: string, main: string, readyUrl: string, more: Readonly<Record<string, string>> = {}) =>
    startProgram({
      name,
      args: [...profiling, join(root, main)],
      cwd: folder,
      env: { ...env, ...more },
      logFile: join(folder, `${name}.log`),
      readyUrl,
    });
  const startWorker = async (at: number): Promise<Worker> => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const more = { BATON_WORKER_PORT: String(port) };
    return { ...(await start(`worker-${at + 1}`, "apps/worker/src/main.ts", `${url}/health/ready`, more)), url };
  };
  const url = `http://127.0.0.1:${apiPort}`;
  const started = await Promise.allSettled([
    start("api", "apps/api/src/main.ts", `${url}/health/ready`),
    ...Array.from({ length: options.workers }, (_, at) => startWorker(at)),
  ]);
  const programs = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const stop = () => stopAll(programs, redis, options.database === undefined ? database : undefined);
  const failed = started.find((each) => each.status === "rejected");
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const [api, ...workers] = programs as [Program, ...Worker[]];
  return {
    url,
    key,
    database,
    workers,
    usage: () => ({
      api: processorSeconds(api.pid),
      workers: workers.reduce((sum, { pid }) => sum + processorSeconds(pid), 0),
      postgres: treeSeconds(servers.postgres.pid),
      redis: redis === undefined ? 0 : treeSeconds(redis.pid),
    }),
    workerMegabytes: () => Math.max(...workers.map(({ pid }) => residentMegabytes(pid))),
    printed: () => programs.map((program) => `--- ${program.name}\n${program.printed()}`).join("\n"),
    stop,
  };
}

async function stopAll(
  programs: readonly Program[],
  redis: Redis | undefined,
  database: TestDatabase | undefined,
): Promise<void> {
  await Promise.all(programs.map((program) => program.stop()));
  await redis?.stop();
  await database?.drop();
}
