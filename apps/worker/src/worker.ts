/**
 * A worker process.
 *
 * Purpose: perform steps and keep house, in any number of processes. Boundary: stateless; what it knows is in
 * PostgreSQL, and what it is told comes from the configuration.
 *
 * 1. With `worker.disabled` (DISABLE_TASK_WORKER) nothing is claimed and readiness says `worker-disabled`.
 * 2. `stop` claims nothing from its first moment on, and ends within the grace and a bound for what ignores it.
 * 3. The same program is started a second time for a step that may have killed workers: there `createWorker` performs
 *    that one step with the same tools, and never resolves.
 */
import { effectiveConfig, loadConfig } from "@baton/config";
import type { Config } from "@baton/config";
import { leaveWithParent } from "@baton/embedded/lifetime";
import { isIsolatedProcess, keepHeapSmall, performIsolated } from "@baton/runtime";
import type { FailPoints } from "@baton/runtime";
import { createLog, createMeter } from "@baton/telemetry";
import type { Tool } from "@baton/tools";
import { compose } from "./compose.ts";
import { openHealthPort } from "./health-port.ts";

/** Everything after the grace: handing back, closing connections. */
const closingMs = 12_000;

export interface WorkerOptions {
  /** Beside the built-in tools and those of the tools folder. */
  readonly tools?: readonly Tool[];
  /** The folder of baton.toml; default: the current one. */
  readonly folder?: string;
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Stop on SIGTERM and SIGINT and end the process; default true. */
  readonly ownsProcess?: boolean;
  /**
   * Path of a program that calls `createWorker` with the same tools, for steps that need a process of their own;
   * default: the one that runs, when the worker owns its process. Without one, such steps are performed in this process.
   */
  readonly isolatedProgram?: string;
  /** Fault tests stop the process at named moments; absent in production. */
  readonly failPoint?: FailPoints;
}

export interface Worker {
  /** Of the health port. */
  readonly url: string;
  readonly sessionId: string | undefined;
  stop(): Promise<void>;
}

/** Resolves when the worker takes work. Throws `invalid-configuration`, `store-unavailable` or `queue-unavailable`. */
export async function createWorker(options: WorkerOptions = {}): Promise<Worker> {
  const loaded = loadConfig({ folder: options.folder ?? process.cwd(), env: options.env ?? process.env });
  const { config } = loaded;
  const ownsProcess = options.ownsProcess ?? true;
  if (isIsolatedProcess()) return await performOneStep(config, options);
  if (ownsProcess) leaveWithParent({ graceMs: config.worker.graceMs + closingMs });
  const log = createLog({ level: config.logLevel, fields: { service: "worker" } });
  const meter = createMeter({ service: "worker" });
  const failPoint = options.failPoint === undefined ? {} : { failPoint: options.failPoint };
  const isolatedProgram = options.isolatedProgram ?? (ownsProcess ? process.argv[1] : undefined);
  const { runtime, lives } = await compose({
    config,
    log,
    meter,
    tools: options.tools ?? [],
    isolatedProgram,
    ...failPoint,
  });
  let stopped: Promise<void> | undefined;
  const { host, port } = config.worker;
  const vitals = () => ({ now: Date.now(), lives, isStopping: stopped !== undefined });
  const health = await openHealthPort({ host, port, meter, vitals }).catch(async (error: unknown) => {
    await lives?.stop(0);
    await runtime.close();
    throw error;
  });
  log.info("worker-started", { url: health.url, disabled: config.worker.disabled, queue: runtime.queue.backend });
  log.debug("configuration", { settings: effectiveConfig(loaded) });

  async function stop(): Promise<void> {
    log.info("worker-stopping", { graceMs: config.worker.graceMs });
    await lives?.stop(config.worker.graceMs);
    await runtime.close();
    await health.close();
    await meter.close();
    log.info("worker-stopped");
  }
  const stopOnce = () => (stopped ??= stop());
  if (ownsProcess) {
    endOnSignals(stopOnce, config.worker.graceMs + closingMs);
    keepHeapSmall();
  }
  return {
    url: health.url,
    get sessionId() {
      return lives?.sessionId;
    },
    stop: stopOnce,
  };
}

async function performOneStep(config: Config, { tools = [], failPoint }: WorkerOptions): Promise<never> {
  leaveWithParent({ graceMs: 0 });
  const service = { service: "worker", isolated: true };
  return await performIsolated({
    config,
    log: createLog({ level: config.logLevel, fields: service }),
    meter: createMeter({ service: "worker" }),
    applicationName: "baton-isolated",
    tools,
    ...(failPoint !== undefined && { failPoint }),
  });
}

function endOnSignals(stop: () => Promise<void>, withinMs: number): void {
  const end = () => {
    // What is left by then is taken back by the lease, as after a crash.
    setTimeout(() => process.exit(1), withinMs).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
}
