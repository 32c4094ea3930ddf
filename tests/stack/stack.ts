/**
 * The whole system as separate processes: one api, n workers, on a database of its own, over either queue backend.
 *
 * 1. Everything runs as users run it: the processes' own mains, configured by the environment only.
 * 2. What a process printed is shown when a test fails, and an unexpected exit at the start is a failure.
 * 3. Nothing here knows of a test runner: end-to-end tests and the fault suite's long tier start the same stack.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient, type BatonClient } from "@baton/client";
import { defaultTenantId, uuidv7 } from "@baton/core";
import { openStore, type Store } from "@baton/store";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import { startTestRedis, type TestRedis } from "@baton/testing/servers";
import { freePort, type Program, startProgram, until } from "./program.ts";

export type Backend = "postgres" | "redis";
export const backends: readonly Backend[] = ["postgres", "redis"];

const root = fileURLToPath(new URL("../..", import.meta.url));
export const newId = (): string => uuidv7(Date.now(), randomBytes(10));

type Env = Readonly<Record<string, string>>;

export interface WorkerStart {
  readonly env?: Env;
  /** Another program than the one that users start; a path below the repository's root. */
  readonly main?: string;
}

export interface Worker extends Program {
  /** Of its health port. */
  readonly url: string;
}

export interface Stack {
  readonly url: string;
  readonly key: string;
  readonly client: BatonClient;
  readonly store: Store;
  readonly database: TestDatabase;
  readonly redis: TestRedis | undefined;
  /** Every worker that was started, those that ended included. */
  readonly workers: Worker[];
  api: Program;
  /** Resolves when it is ready. */
  startWorker(env?: Env, main?: string): Promise<Worker>;
  /** Resolves when it has been started, ready or not. */
  launchWorker(start?: WorkerStart): Promise<Worker>;
  /** Under the same URL as the one before it. */
  startApi(env?: Env, main?: string): Promise<Program>;
  /** fetch with the key. */
  call(path: string, init?: RequestInit & { readonly json?: unknown }): Promise<Response>;
  /** What every process printed, for a failing test. */
  logs(): string;
  /** Ends every process, and kills those that have not left within 30 s. */
  end(signal?: NodeJS.Signals): Promise<void>;
  /** `end`, and then the database and Redis go. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface StackOptions {
  /** A superuser's URL of the server for the stack's database. */
  readonly postgresUrl: string;
  readonly backend: Backend;
  readonly workers: number;
  /** Of every process. */
  readonly env?: Env;
  /** Of the api alone. */
  readonly apiEnv?: Env;
  /** Another program for every worker than the one that users start. */
  readonly workerMain?: string;
  /** Before the first process starts. */
  readonly prepare?: (database: TestDatabase) => Promise<void>;
}

const leavingMs = 30_000;
/** A machine that is busy with something else takes long to start a dozen processes. */
const startingMs = 120_000;

export async function startStack(options: StackOptions): Promise<Stack> {
  const database = await createTestDatabase(options.postgresUrl);
  const started = options.backend === "redis" ? await startTestRedis() : undefined;
  if (started !== undefined && "unavailable" in started) throw new Error(started.unavailable);
  const redis = started;
  const folder = await mkdtemp(join(tmpdir(), "baton-stack-"));
  const port = await freePort();
  const key = `bk_${randomBytes(24).toString("hex")}`;
  const store = await openStore({
    url: database.url,
    applicationName: "test",
    newId,
    onError: () => undefined,
    onWakeUps: () => undefined,
    maxConnections: 2,
  });
  await store.createApiKey({
    tenantId: defaultTenantId,
    keyId: newId(),
    name: "test",
    hash: createHash("sha256").update(key).digest("hex"),
    scopes: ["read", "write", "admin"],
  });
  const shared: Env = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    DATABASE_URL: database.url,
    BATON_PORT: String(port),
    BATON_BEAT_MS: "1000",
    BATON_LEASE_MS: "3000",
    BATON_LOG_LEVEL: "info",
    BATON_LIMITER_MAX: "1000",
    ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    ...options.env,
  };
  const programs: Program[] = [];
  const start = (name: string, main: string, env: Env = {}): Program => {
    const program = startProgram({ name, main: join(root, main), cwd: folder, env: { ...shared, ...env } });
    programs.push(program);
    return program;
  };
  const url = `http://127.0.0.1:${port}`;
  const startApi = async (env?: Env, main = "apps/api/src/main.ts"): Promise<Program> => {
    const api = start("api", main, { ...options.apiEnv, ...env });
    await until(`the api at ${url} is ready`, async () => (await fetch(`${url}/health/ready`)).ok, api, startingMs);
    return api;
  };
  const workers: Worker[] = [];
  const workerMain = options.workerMain ?? "apps/worker/src/main.ts";
  const launchWorker = async ({ env, main = workerMain }: WorkerStart = {}): Promise<Worker> => {
    const healthPort = await freePort();
    const name = `worker-${workers.length + 1}`;
    const program = start(name, main, { ...env, BATON_WORKER_PORT: String(healthPort) });
    const worker = { ...program, url: `http://127.0.0.1:${healthPort}` };
    workers.push(worker);
    return worker;
  };
  const startWorker = async (env: Env = {}, main: string = workerMain): Promise<Worker> => {
    const worker = await launchWorker({ env, main });
    const isReady = async () => (await fetch(`${worker.url}/health/ready`)).ok;
    await until(`${worker.name} is ready`, isReady, worker, startingMs);
    return worker;
  };
  const logs = (): string => programs.map((program) => `--- ${program.name}\n${program.output()}`).join("\n");
  const end = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    for (const program of programs) {
      program.kill(signal);
      // One that was stopped hears of the signal only when it goes on.
      program.kill("SIGCONT");
    }
    const patience = setTimeout(() => {
      for (const program of programs) program.kill("SIGKILL");
    }, leavingMs);
    await Promise.all(programs.map((program) => program.exited));
    clearTimeout(patience);
  };
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await end(signal);
    await store.close();
    await redis?.close();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  };
  const stack: Stack = {
    url,
    key,
    client: createClient({ baseUrl: url, apiKey: key }),
    store,
    database,
    redis,
    workers,
    api: undefined as unknown as Program,
    startApi: async (env, main) => {
      stack.api = await startApi(env, main);
      return stack.api;
    },
    startWorker,
    launchWorker,
    call: (path, init = {}) => {
      const { json, ...rest } = init;
      const headers = new Headers(rest.headers);
      headers.set("authorization", `Bearer ${key}`);
      if (json !== undefined) headers.set("content-type", "application/json");
      return fetch(`${url}${path}`, {
        ...rest,
        headers,
        ...(json === undefined ? {} : { method: rest.method ?? "POST", body: JSON.stringify(json) }),
      });
    },
    logs,
    end,
    stop,
  };
  try {
    await options.prepare?.(database);
    await Promise.all([stack.startApi(), ...Array.from({ length: options.workers }, () => startWorker())]);
    return stack;
  } catch (error) {
    const printed = logs();
    await stop();
    throw new Error(`The stack did not start.\n${printed}`, { cause: error });
  }
}
