/**
 * A worker process.
 *
 * Purpose: perform steps and keep house, in any number of processes. Boundary: stateless; what it knows is in
 * PostgreSQL, and what it is told comes from the configuration.
 *
 * 1. With `worker.disabled` (DISABLE_TASK_WORKER) nothing is claimed and readiness says `worker-disabled`.
 * 2. `stop` claims nothing from its first moment on, and ends within the grace and a bound for what ignores it.
 */
import { effectiveConfig, loadConfig } from "@baton/config";
import type { FailPoint } from "@baton/core/ports";
import { leaveWithParent } from "@baton/embedded/lifetime";
import { createLog, createMeter } from "@baton/telemetry";
import type { Tool } from "@baton/tools";
import { compose } from "./compose.ts";
import type { Parts } from "./compose.ts";
import { openHealthPort } from "./health-port.ts";
import { startLives } from "./life.ts";
import type { Lives, PoolSlots } from "./life.ts";

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
  /** Fault tests stop the process at named moments; absent in production. */
  readonly failPoint?: (
    name: FailPoint,
    ref: { readonly taskId: string; readonly stepId: string },
  ) => void | Promise<void>;
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
  if (options.ownsProcess ?? true) leaveWithParent({ graceMs: config.worker.graceMs + closingMs });
  const log = createLog({ level: config.logLevel, fields: { service: "worker" } });
  const meter = createMeter({ service: "worker" });
  const pools = config.worker.disabled ? [] : poolSlots(config.worker.pools, config.worker.concurrency);
  const failPoint = options.failPoint === undefined ? {} : { failPoint: options.failPoint };
  const parts = await compose({ config, log, meter, pools, tools: options.tools ?? [], ...failPoint });
  const { lives, health } = await begin(parts);
  log.info("worker-started", { url: health.url, disabled: config.worker.disabled, queue: parts.queue.backend });
  log.debug("configuration", { settings: effectiveConfig(loaded) });

  async function begin(opened: Parts) {
    let begun: Lives | undefined;
    try {
      begun =
        pools.length === 0 ? undefined : await startLives({ parts: opened, config, pools, log, meter, ...failPoint });
      const { host, port } = config.worker;
      const vitals = () => ({ now: Date.now(), lives: begun, isStopping: stopped !== undefined });
      return { lives: begun, health: await openHealthPort({ host, port, meter, vitals }) };
    } catch (error) {
      await begun?.stop(0);
      await opened.close();
      throw error;
    }
  }

  let stopped: Promise<void> | undefined;
  async function stop(): Promise<void> {
    log.info("worker-stopping", { graceMs: config.worker.graceMs });
    await lives?.stop(config.worker.graceMs);
    await parts.close();
    await health.close();
    await meter.close();
    log.info("worker-stopped");
  }
  const stopOnce = () => (stopped ??= stop());
  if (options.ownsProcess ?? true) endOnSignals(stopOnce, config.worker.graceMs + closingMs);
  return {
    url: health.url,
    get sessionId() {
      return lives?.sessionId;
    },
    stop: stopOnce,
  };
}

/** Every pool gets the whole concurrency, but the interactive one, which the api serves first, a fifth. */
function poolSlots(names: readonly string[], concurrency: number): readonly PoolSlots[] {
  return names.map((pool) => ({ pool, slots: pool === "interactive" ? Math.ceil(concurrency / 5) : concurrency }));
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
