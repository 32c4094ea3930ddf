/**
 * A world: one system under test with its sink, its faults, and what is expected of it.
 *
 * 1. A task is expected from the moment it was answered 2xx; how it should end is said when it is created.
 * 2. Everything random comes from the world's seed.
 * 3. Every worker runs with the fast lease (beat 1 s, dead after 3 s) and the fail-point port, unless a case says otherwise.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PlanSpec } from "@baton/core/plan";
import type { TaskState } from "@baton/core/lifecycle";
import type { TestDatabase } from "@baton/testing/databases";
import { type FaultyPostgres, startFaultyPostgres, startTcpProxy, type TcpProxy } from "@baton/testing/faults";
import { isRunning } from "../../stack/program.ts";
import { type Backend, newId, type Stack, startStack, type Worker } from "../../stack/stack.ts";
import type { FailPointPlan } from "../programs/fail-points.ts";
import { createFaultLog, type FaultLog } from "./fault-log.ts";
import { postTask } from "./post-task.ts";
import type { Random } from "./random.ts";
import { type Sink, startSink } from "./sink.ts";
import { untilSettled } from "./watchdog.ts";

export interface WorldOptions {
  readonly backend: Backend;
  readonly continuation: boolean;
  readonly random: Random;
  /** A superuser's URL. */
  readonly postgresUrl: string;
  readonly slack: number;
  /** For how long nothing may move while tasks are open; default 60 s. */
  readonly stallMs?: number;
  /** At the start; default 2. */
  readonly workers?: number;
  /** Per worker; default 10. */
  readonly slots?: number;
  /** Of every process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the api alone. */
  readonly apiEnv?: Readonly<Record<string, string>>;
  /** A PostgreSQL for this world alone, because a fault is aimed at the server. */
  readonly ownPostgres?: boolean;
  /** Run on the world's database before anything starts: deliberate breakage of a verb. */
  readonly sabotage?: (database: TestDatabase) => Promise<void>;
}

export interface Expected {
  /** In which the task has to end or rest. */
  readonly state: TaskState;
  /** Steps of its plan. */
  readonly stepCount: number;
}

export interface WorkerOptions {
  readonly failPoints?: readonly FailPointPlan[];
  readonly env?: Readonly<Record<string, string>>;
  readonly main?: string;
}

export interface World {
  readonly backend: Backend;
  readonly continuation: boolean;
  readonly random: Random;
  /** By this much a case multiplies the times that it promises: above 1 where runs share the machine. */
  readonly slack: number;
  readonly slots: number;
  readonly stack: Stack;
  readonly sink: Sink;
  readonly faults: FaultLog;
  /** Only with `ownPostgres`. */
  readonly postgres: FaultyPostgres | undefined;
  /** Every task that was accepted, with what is expected of it. */
  readonly tasks: ReadonlyMap<string, Expected>;
  /** A proxy before the world's database or Redis, until the world closes: a process that is given its URL goes through it. */
  proxyTo(server: "postgres" | "redis"): Promise<TcpProxy>;
  /** Resolves when it is ready. */
  startWorker(options?: WorkerOptions): Promise<Worker>;
  /** Does not wait until it is ready: where there is work, it may die at its fail-point before. */
  launchWorker(options?: WorkerOptions): Promise<Worker>;
  /** Workers that have not ended. */
  running(): readonly Worker[];
  /** SIGKILL, recorded; resolves when it is gone. Its slots count as executions that may run again. */
  kill(worker: Worker): Promise<void>;
  /** POSTs tasks with idempotency keys, repeating what got no answer; resolves to their ids. */
  createTasks(count: number, planOf: (index: number) => PlanSpec, expected?: TaskState): Promise<readonly string[]>;
  /** For a task that a case created by itself. */
  expectTask(taskId: string, expected: Expected): void;
  /** Resolves when every task is in the state expected of it; fails at once, with a dump, when nothing moves for `stallMs`. */
  untilAllSettled(ids?: readonly string[], stallMs?: number): Promise<void>;
  /** Ends everything that runs; database and files stay. */
  end(): Promise<void>;
  close(): Promise<void>;
}

const workerMain = "tests/chaos/programs/worker.ts";
const toolsFolder = fileURLToPath(new URL("../programs/tools", import.meta.url));

export async function startWorld(options: WorldOptions): Promise<World> {
  const { backend, continuation, random, slack, slots = 10, stallMs = 60_000 } = options;
  const folder = await mkdtemp(join(tmpdir(), "baton-chaos-"));
  const undo: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const postgres = options.ownPostgres === true ? await startFaultyPostgres() : undefined;
    if (postgres !== undefined) undo.push(() => postgres.close());
    const sink = await startSink(join(folder, "effects.ndjson"));
    undo.push(() => sink.close());
    const stack = await startStack({
      postgresUrl: postgres?.url ?? options.postgresUrl,
      backend,
      workers: options.workers ?? 2,
      workerMain,
      ...(options.sabotage !== undefined && { prepare: options.sabotage }),
      ...(options.apiEnv !== undefined && { apiEnv: options.apiEnv }),
      env: {
        CHAOS_SINK: sink.url,
        BATON_TOOLS: toolsFolder,
        BATON_CONCURRENCY: String(slots),
        BATON_CONTINUATION: String(continuation),
        ...options.env,
      },
    });
    undo.push(() => stack.stop("SIGKILL"));
    const proxyTo = async (server: "postgres" | "redis"): Promise<TcpProxy> => {
      const url = server === "postgres" ? stack.database.url : stack.redis?.url;
      if (url === undefined) throw new Error("This world has no Redis.");
      const proxy = await startTcpProxy(url);
      undo.push(() => proxy.close());
      return proxy;
    };
    return createWorld({ backend, continuation, random, slack, slots, stack, sink, postgres, proxyTo, close }, stallMs);
  } catch (error) {
    await close();
    throw error;
  }
}

const envOf = ({ failPoints, env }: WorkerOptions): Readonly<Record<string, string>> => ({
  ...(failPoints !== undefined && { CHAOS_FAIL_POINTS: JSON.stringify(failPoints) }),
  ...env,
});

type Parts = Pick<
  World,
  "backend" | "continuation" | "random" | "slack" | "slots" | "stack" | "sink" | "postgres" | "proxyTo" | "close"
>;

function createWorld(parts: Parts, patienceMs: number): World {
  const { stack, slots, sink } = parts;
  const faults = createFaultLog();
  const tasks = new Map<string, Expected>();
  return {
    ...parts,
    faults,
    tasks,
    startWorker: (options = {}) => stack.startWorker(envOf(options), options.main),
    launchWorker: (options = {}) =>
      stack.launchWorker({ env: envOf(options), ...(options.main !== undefined && { main: options.main }) }),
    running: () => stack.workers.filter(isRunning),
    async kill(worker) {
      faults.record("kill", `${worker.name} (pid ${worker.process.pid})`, slots);
      worker.kill("SIGKILL");
      await worker.exited;
    },
    async createTasks(count, planOf, expected = "completed") {
      const ids: string[] = [];
      const left = Array.from({ length: count }, (_, index) => index);
      const post = async (): Promise<void> => {
        for (let index = left.shift(); index !== undefined; index = left.shift()) {
          const plan = planOf(index);
          const taskId = await postTask(stack, { plan }, newId());
          ids.push(taskId);
          tasks.set(taskId, { state: expected, stepCount: plan.steps.length });
        }
      };
      await Promise.all(Array.from({ length: Math.min(8, count) }, post));
      return ids;
    },
    expectTask: (taskId, expected) => void tasks.set(taskId, expected),
    untilAllSettled: (ids = [...tasks.keys()], stallMs = patienceMs) =>
      untilSettled({
        stack,
        sink,
        faults,
        stallMs,
        expected: new Map(ids.map((id) => [id, tasks.get(id)?.state ?? "completed"])),
      }),
    end: () => stack.end("SIGKILL"),
  };
}
