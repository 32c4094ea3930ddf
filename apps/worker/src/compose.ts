/**
 * The worker's own choices: its pools, its tools, and what the shared runtime is told of them.
 *
 * 1. With `worker.disabled` no pool is served, and the process only keeps house.
 */
import type { Config } from "@baton/config";
import type { LogPort, MeterPort } from "@baton/core/ports";
import { lifetimeVariable } from "@baton/embedded/lifetime";
import { openRuntime, startLives } from "@baton/runtime";
import type { FailPoints, Lives, PoolSlots, Runtime } from "@baton/runtime";
import type { Tool } from "@baton/tools";

const version = "0.1.0";

export interface ComposeOptions {
  readonly config: Config;
  readonly log: LogPort;
  readonly meter: MeterPort;
  /** The caller's own, beside the built-in ones and those of the tools folder. */
  readonly tools: readonly Tool[];
  /** For steps that need a process of their own; absent when there is none that could be started. */
  readonly isolatedProgram: string | undefined;
  readonly failPoint?: FailPoints;
}

export interface Composed {
  readonly runtime: Runtime;
  /** Undefined when this process performs nothing. */
  readonly lives: Lives | undefined;
}

export async function compose(options: ComposeOptions): Promise<Composed> {
  const { config, log, meter, tools, isolatedProgram, failPoint } = options;
  const pools = config.worker.disabled ? [] : poolSlots(config.worker.pools, config.worker.concurrency);
  const faults = failPoint === undefined ? {} : { failPoint };
  const runtime = await openRuntime({
    config,
    log,
    meter,
    applicationName: "baton-worker",
    tools,
    pools,
    discoversMcpServers: pools.length > 0,
    ...faults,
  });
  if (pools.length === 0) return { runtime, lives: undefined };
  const toolNames = runtime.tools.list().map(({ name }) => name);
  const { session } = config;
  try {
    const lives = await startLives({
      runtime,
      role: "worker",
      version,
      pools,
      toolNames,
      session,
      continuation: config.worker.continuation,
      log,
      meter,
      isolation:
        isolatedProgram === undefined
          ? undefined
          : { program: isolatedProgram, places: config.worker.isolatedConcurrency, lifetimeVariable },
      ...faults,
    });
    return { runtime, lives };
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

/** Every pool gets the whole concurrency, but the interactive one, which the api serves first, a fifth. */
function poolSlots(names: readonly string[], concurrency: number): readonly PoolSlots[] {
  return names.map((pool) => ({ pool, slots: pool === "interactive" ? Math.ceil(concurrency / 5) : concurrency }));
}
