/**
 * The whole system as separate processes, for end-to-end tests: one api, n workers, on a database of
 * its own, over either queue backend.
 *
 * 1. Everything runs as users run it: the processes' own mains, configured by the environment only.
 * 2. What a process printed is shown when a test fails, and an unexpected exit is a failure.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient, type BatonClient } from "@baton/client";
import { defaultTenantId, uuidv7 } from "@baton/core";
import { openStore, type Store } from "@baton/store";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import { startTestRedis, type TestRedis } from "@baton/testing/servers";
import { describe, inject } from "vitest";

export type Backend = "postgres" | "redis";
export const backends: readonly Backend[] = ["postgres", "redis"];

const root = fileURLToPath(new URL("../..", import.meta.url));
export const newId = (): string => uuidv7(Date.now(), randomBytes(10));

export interface Program {
  readonly name: string;
  readonly process: ChildProcess;
  /** What it printed so far. */
  output(): string;
  readonly exited: Promise<number | string>;
  kill(signal: NodeJS.Signals): void;
}

export interface Stack {
  readonly url: string;
  readonly key: string;
  readonly client: BatonClient;
  readonly store: Store;
  readonly database: TestDatabase;
  readonly redis: TestRedis | undefined;
  readonly workers: Program[];
  api: Program;
  startWorker(env?: Readonly<Record<string, string>>): Promise<Program>;
  startApi(): Promise<Program>;
  /** fetch with the key. */
  call(path: string, init?: RequestInit & { readonly json?: unknown }): Promise<Response>;
  /** What every process printed, for a failing test. */
  logs(): string;
  stop(): Promise<void>;
}

export interface StackOptions {
  readonly backend: Backend;
  readonly workers: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A reason to skip, or undefined. */
export function unavailable(backend: Backend): string | undefined {
  const reason = inject("redisUnavailable");
  return backend === "redis" && reason !== "" ? reason : undefined;
}

/** The same tests over every queue backend; one that is missing here is skipped by name. */
export function onEachBackend(title: string, tests: (backend: Backend) => void): void {
  for (const backend of backends) {
    const reason = unavailable(backend);
    const name = `${title} over ${backend}${reason === undefined ? "" : ` [skipped: ${reason}]`}`;
    describe.skipIf(reason !== undefined)(name, () => tests(backend));
  }
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const database = await createTestDatabase(inject("postgresUrl"));
  const started = options.backend === "redis" ? await startTestRedis() : undefined;
  if (started !== undefined && "unavailable" in started) throw new Error(started.unavailable);
  const redis = started;
  const folder = await mkdtemp(join(tmpdir(), "baton-e2e-"));
  const port = await freePort();
  const key = `bk_${randomBytes(24).toString("hex")}`;
  const store = await openStore({
    url: database.url,
    applicationName: "e2e",
    newId,
    onError: () => undefined,
    onWakeUps: () => undefined,
    maxConnections: 2,
  });
  await store.createApiKey({
    tenantId: defaultTenantId,
    keyId: newId(),
    name: "e2e",
    hash: createHash("sha256").update(key).digest("hex"),
    scopes: ["read", "write", "admin"],
  });
  const env: Record<string, string> = {
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
  const start = (name: string, main: string, more: Readonly<Record<string, string>> = {}): Program => {
    const program = run(name, join(root, main), folder, { ...env, ...more });
    programs.push(program);
    return program;
  };
  const url = `http://127.0.0.1:${port}`;
  const startApi = async (): Promise<Program> => {
    const api = start("api", "apps/api/src/main.ts");
    await until(`the api at ${url} is ready`, async () => (await fetch(`${url}/health/ready`)).ok, api);
    return api;
  };
  const workers: Program[] = [];
  const startWorker = async (more?: Readonly<Record<string, string>>): Promise<Program> => {
    const port = await freePort();
    const worker = start(`worker-${workers.length + 1}`, "apps/worker/src/main.ts", {
      ...more,
      BATON_WORKER_PORT: String(port),
    });
    workers.push(worker);
    await until(
      `${worker.name} is ready`,
      async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok,
      worker,
    );
    return worker;
  };
  const logs = (): string => programs.map((program) => `--- ${program.name}\n${program.output()}`).join("\n");
  const stop = async (): Promise<void> => {
    for (const program of programs) program.kill("SIGTERM");
    const patience = setTimeout(() => {
      for (const program of programs) program.kill("SIGKILL");
    }, 30_000);
    await Promise.all(programs.map((program) => program.exited));
    clearTimeout(patience);
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
    startApi: async () => {
      stack.api = await startApi();
      return stack.api;
    },
    startWorker,
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
    stop,
  };
  try {
    await Promise.all([stack.startApi(), ...Array.from({ length: options.workers }, () => startWorker())]);
    return stack;
  } catch (error) {
    const printed = logs();
    await stop();
    throw new Error(`The stack did not start.\n${printed}`, { cause: error });
  }
}

function run(name: string, main: string, cwd: string, env: Readonly<Record<string, string>>): Program {
  const child = spawn(process.execPath, [main], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  const keep = (chunk: Buffer): void => {
    printed = (printed + chunk.toString("utf8")).slice(-200_000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const exited = new Promise<number | string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? code ?? -1));
    child.once("error", (error) => {
      printed += String(error);
      resolve(-1);
    });
  });
  return { name, process: child, output: () => printed, exited, kill: (signal) => void child.kill(signal) };
}

/** Polls a condition that is expected to hold soon; fails at once when the program it concerns has ended. */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  program?: Program,
  patienceMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    if (program !== undefined && program.process.exitCode !== null)
      throw new Error(`${program.name} ended with ${program.process.exitCode}:\n${program.output()}`);
    if (await holds().catch(() => false)) return;
    if (performance.now() > deadline) throw new Error(`Not within ${patienceMs} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
