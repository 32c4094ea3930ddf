/**
 * The api's own choices: it takes wake-ups of the pool `interactive` while a slot is free, performs nothing but plans
 * and replies, and answers requests from the same store.
 *
 * 1. A wake-up is performed here at once while a slot is free, and goes to the queue otherwise.
 * 2. Without a session nothing is claimed here, and requests are still answered.
 */
import { createHmac, randomBytes } from "node:crypto";
import { mcpServers } from "@baton/config";
import type { Config } from "@baton/config";
import { defaultTenantId } from "@baton/core";
import { interactivePool, plannedPool } from "@baton/core/plan";
import type { LogPort, MeterPort } from "@baton/core/ports";
import { openAgentFolder } from "@baton/definitions";
import { lifetimeVariable } from "@baton/embedded/lifetime";
import { modelsWithinTenant } from "@baton/executor";
import { type Loop, startLoop } from "@baton/housekeeping";
import { decomposeGoal, reservedIds, shouldOrchestrate } from "@baton/orchestrator";
import { queueBoardQueues } from "@baton/queue";
import { openRuntime, startLives } from "@baton/runtime";
import type { FailPoints, Lives, Runtime } from "@baton/runtime";
import { watchLoopLag } from "@baton/telemetry";
import { hashApiKey } from "./access/api-key.ts";
import { keepThreads } from "./chat/answers.ts";
import { createBoards } from "./board/boards.ts";
import type { ApiDeps } from "./deps.ts";
import { interactivePerformers } from "./interactive.ts";

const version = "0.1.0";

export interface ComposeOptions {
  readonly config: Config;
  readonly log: LogPort;
  readonly meter: MeterPort & { text(): Promise<string> };
  /** Fault tests stop the process at named moments; absent in production. */
  readonly failPoint?: FailPoints;
}

export interface Composed {
  readonly deps: ApiDeps;
  /** Claims nothing from now on, and hands back what does not end within the grace. */
  stopPerforming(graceMs: number): Promise<void>;
  /** In the reverse order of opening; trouble is logged, never thrown. */
  close(): Promise<void>;
}

export async function compose({ config, log, meter, failPoint }: ComposeOptions): Promise<Composed> {
  const pools = [{ pool: interactivePool, slots: config.worker.concurrency }];
  // Comes to life after the runtime that hands wake-ups to it.
  let lives: Lives | undefined;
  const runtime = await openRuntime({
    config,
    log,
    meter,
    applicationName: "baton-api",
    pools,
    takesNow: (pool, wakeUp) => pool === interactivePool && lives?.take(wakeUp) === true,
    ...(failPoint !== undefined && { failPoint }),
  });
  const loopLag = watchLoopLag();
  const close = async () => {
    loopLag.stop();
    await runtime.close();
  };
  let threads: Loop | undefined;
  const stopPerforming = async (graceMs: number) => {
    await threads?.stop();
    await lives?.stop(graceMs).catch((error: unknown) => log.warn("close-failed", { part: "interactive", error }));
  };
  try {
    await ensureKey(runtime, config.api.key, log);
    lives = await startLives({
      runtime,
      role: "api",
      version,
      pools,
      performers: interactivePerformers(runtime.performers),
      toolNames: [],
      session: config.session,
      continuation: config.worker.continuation,
      log,
      meter,
      ...(failPoint !== undefined && { failPoint }),
      isolation: isolationOf(config),
    });
    const secret = await secretOf(runtime);
    await runtime.store.keepTaskDefaults(config.task);
    threads = startLoop({
      name: "threads",
      round: () => keepThreads(runtime),
      ...{ meter, log, monotonic: runtime.monotonic, random: Math.random },
    });
    return { deps: { ...depsOf(runtime, config, log, meter, loopLag.read), secret }, stopPerforming, close };
  } catch (error) {
    await stopPerforming(0);
    await close();
    throw error;
  }
}

/** The program that runs is the one to start for a plan or a reply that may have killed processes. */
function isolationOf({ worker }: Config): NonNullable<Parameters<typeof startLives>[0]["isolation"]> | undefined {
  const [, program] = process.argv;
  return program === undefined ? undefined : { program, places: worker.isolatedConcurrency, lifetimeVariable };
}

function depsOf(
  runtime: Runtime,
  config: Config,
  log: LogPort,
  meter: ComposeOptions["meter"],
  loopLagMs: () => number,
): Omit<ApiDeps, "secret"> {
  const { store, live, models, tools, newId, queue } = runtime;
  return {
    store,
    live,
    models,
    tools,
    newId,
    log,
    metrics: () => {
      meter.gauge("baton_event_loop_lag_ms", loopLagMs());
      return meter.text();
    },
    loopLagMs,
    decide: (message, { tenantId, ...asking }) =>
      shouldOrchestrate(message, { models: modelsWithinTenant(models, store, tenantId), ...asking }),
    decompose: (goal, tools, { tenantId, settings: { concurrency, contextWindowLimit, maxSteps }, ...asking }) =>
      decomposeGoal(goal, tools, {
        models: modelsWithinTenant(models, store, tenantId),
        reservedIds,
        ...{ concurrency, contextWindowLimit, maxSteps },
        ...asking,
      }),
    ...(config.api.agentsFolder !== undefined && { agents: openAgentFolder(config.api.agentsFolder) }),
    boards: createBoards(queueBoardQueues(queue, boardPools(config))),
    mcpServers: mcpServers(config).map(({ name }) => name),
    taskDefaults: config.task,
    workerDisabled: config.worker.disabled,
    version,
    planWaitMs: 30_000,
    heartbeatMs: 15_000,
    pollMs: 1_000,
  };
}

/** Derived, so that what is signed here never shows what else may be derived from the same value. */
async function secretOf({ store }: Runtime): Promise<Uint8Array> {
  return createHmac("sha256", await store.installationSecret(randomBytes(32)))
    .update("baton api")
    .digest();
}

const boardPools = (config: Config): string[] => [...new Set([plannedPool, interactivePool, ...config.worker.pools])];

/** The key that whoever starts the process hands in (`baton dev`, an operator's first key); it has every scope. */
async function ensureKey({ store, newId }: Runtime, key: string | undefined, log: LogPort): Promise<void> {
  if (key === undefined) return;
  const hash = hashApiKey(key);
  await store.createApiKey({
    tenantId: defaultTenantId,
    keyId: newId(),
    name: "BATON_API_KEY",
    hash,
    scopes: ["read", "write", "admin"],
  });
  if ((await store.findApiKey(hash)) === undefined) log.warn("api-key-revoked", { name: "BATON_API_KEY" });
}
