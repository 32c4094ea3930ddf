/**
 * Engine and adapters, composed into a process that performs steps.
 *
 * Purpose: the one place where store, channels, tools, models, performers and housekeeping meet. Boundary: which
 * pools, tools and role a process has is chosen in its app's compose.ts; docs/decisions/0008 says why this is a room.
 *
 * 1. With `redisUrl` the queue, the live channel and the limiter are on Redis, without it on PostgreSQL.
 * 2. No URL is guessed: an unset database is an error that says what to set.
 * 3. A wake-up that cannot be put on the queue is not lost: the step stays dispatched and time repeats it.
 */
import { randomFillSync } from "node:crypto";
import { modelSettings, requireDatabaseUrl } from "@baton/config";
import type { Config } from "@baton/config";
import { uuidv7 } from "@baton/core";
import { plannedPool } from "@baton/core/plan";
import type {
  FailPoint,
  LivePort,
  LogPort,
  MeterPort,
  ModelPort,
  ProviderGate,
  QueuePort,
  RateLimiter,
  WakeUp,
} from "@baton/core/ports";
import { createLateCalls, createStepPerformers } from "@baton/executor";
import type { LateCalls, Performers, WorkOptions } from "@baton/executor";
import { startHousekeeping } from "@baton/housekeeping";
import type { Housekeeping } from "@baton/housekeeping";
import { createModels } from "@baton/llm";
import { createPerformers } from "@baton/orchestrator";
import { openStore } from "@baton/store";
import type { Store, StoreOptions } from "@baton/store";
import type { Tool, ToolRegistry } from "@baton/tools";
import { openAttemptChannels, openQueue } from "./channels.ts";
import type { AttemptChannels, ChannelsOptions } from "./channels.ts";
import { createClosers } from "./closers.ts";
import type { Closers } from "./closers.ts";
import { openMcpServers } from "./mcp-servers.ts";
import { openTools } from "./tools-folder.ts";

export interface PoolSlots {
  readonly pool: string;
  readonly slots: number;
}

export type FailPoints = (
  name: FailPoint,
  ref: { readonly taskId: string; readonly stepId: string },
) => void | Promise<void>;

export interface RuntimeOptions {
  readonly config: Config;
  readonly log: LogPort;
  readonly meter: MeterPort;
  /** As PostgreSQL shows the process's connections. */
  readonly applicationName: string;
  /** The owner's own tools, beside the built-in ones and those of the tools folder. */
  readonly tools?: readonly Tool[];
  /** Starts MCP servers of which nothing is known yet; default false: then another process does. */
  readonly discoversMcpServers?: boolean;
  /** Slots per pool; empty when this process performs nothing. */
  readonly pools: readonly PoolSlots[];
  /** True when the wake-up is performed here and now, and needs no queue. */
  readonly takesNow?: (pool: string, wakeUp: WakeUp) => boolean;
  readonly failPoint?: FailPoints;
}

export interface Runtime {
  readonly store: Store;
  readonly queue: QueuePort;
  readonly live: LivePort;
  readonly models: ModelPort;
  readonly limiter: RateLimiter;
  readonly tools: ToolRegistry;
  readonly performers: Performers;
  /** Calls whose attempts are over, and whose results may still come. */
  readonly late: LateCalls;
  readonly housekeeping: Housekeeping;
  /** UUIDv7. */
  readonly newId: () => string;
  /** Milliseconds that never go back. */
  readonly monotonic: () => number;
  /** In the reverse order of opening; trouble is logged, never thrown. */
  close(): Promise<void>;
}

type Parts = Omit<Runtime, "close">;
type TroubleOf = (part: string) => (error: Error) => void;

/** Drawn 400 ids at a time: a draw costs as much for one id as for many. */
const entropy = new Uint8Array(4_000);
let drawn = entropy.length;

function newId(): string {
  if (drawn === entropy.length) {
    randomFillSync(entropy);
    drawn = 0;
  }
  const random = entropy.subarray(drawn, drawn + 10);
  drawn += random.length;
  return uuidv7(Date.now(), random);
}

const monotonic = (): number => performance.now();

/** Throws `invalid-configuration`, `store-unavailable` or `queue-unavailable`; then nothing is left open. */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  const closers = createClosers(options.log);
  try {
    return { ...(await openParts(options, closers)), close: closers.closeAll };
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

/** These come to life after the store that hands wake-ups to them. */
interface Later {
  queue?: QueuePort;
  housekeeping?: Housekeeping;
}

async function openParts(options: RuntimeOptions, closers: Closers): Promise<Parts> {
  const { config, log, meter, failPoint } = options;
  const later: Later = {};
  const { store, channels } = await openTruth(options, closers, {
    onWakeUps: (byPool) => {
      for (const [pool, wakeUps] of byPool) void dispatch(options, later, pool, wakeUps);
    },
    room: () => later.housekeeping?.room() ?? 0,
  });
  const queue = await openQueue(channels, closers);
  later.queue = queue;
  const attemptParts = await openAttemptParts(options, store, channels, closers);
  const housekeeping = startHousekeeping({
    store,
    queue,
    pools: options.pools,
    ages: config.prune,
    meter,
    log,
    monotonic,
    random: Math.random,
    ...(failPoint !== undefined && { failPoint }),
  });
  later.housekeeping = housekeeping;
  closers.add("housekeeping", () => housekeeping.stop());
  const ready = await store.listenReady((pool) => housekeeping.wake(pool));
  closers.add("ready", () => ready.close());
  return { store, queue, ...attemptParts, housekeeping, newId, monotonic };
}

type CommonOptions = Pick<
  RuntimeOptions,
  "config" | "log" | "meter" | "applicationName" | "tools" | "discoversMcpServers"
>;

async function openTruth(
  { config, log, meter, applicationName }: CommonOptions,
  closers: Closers,
  more: Pick<StoreOptions, "onWakeUps" | "room" | "maxConnections">,
): Promise<{ store: Store; channels: ChannelsOptions }> {
  const troubleOf: TroubleOf = (part) => (error) => {
    meter.count("baton_connection_errors_total", { part });
    log.warn("connection-trouble", { part, error });
  };
  const databaseUrl = requireDatabaseUrl(config);
  const store = await openStore({ url: databaseUrl, applicationName, newId, onError: troubleOf("store"), ...more });
  closers.add("store", () => store.close());
  return { store, channels: { redisUrl: config.redisUrl, databaseUrl, store, troubleOf, log } };
}

type AttemptParts = AttemptChannels & Pick<Runtime, "models" | "tools" | "performers" | "late">;

async function openAttemptParts(
  { config, log, tools: own = [], discoversMcpServers: discovers = false }: CommonOptions,
  store: Store,
  channels: ChannelsOptions,
  closers: Closers,
): Promise<AttemptParts> {
  const { live, limiter } = await openAttemptChannels(channels, closers);
  const late = createLateCalls(store, log);
  const onLate: Parameters<typeof openTools>[0]["onLate"] = (call) => void late.arrived(call);
  const mcp = await openMcpServers({ config, log, store, discovers }, closers);
  const tools = await openTools({ config, log, own, onLate, mcp }, closers);
  const models = openModels(config, limiter, store.gate);
  const performers: Performers = {
    ...createStepPerformers({ store, models, tools, late, log, newId, clock: Date.now }),
    ...createPerformers({ store, models, tools, newId, pool: plannedPool }),
  };
  return { live, limiter, tools, models, performers, late };
}

export interface IsolatedParts {
  readonly work: Omit<WorkOptions, "slots">;
  readonly late: LateCalls;
  close(): Promise<void>;
}

export interface IsolatedPartsOptions extends CommonOptions {
  readonly performersOf?: (performers: Performers) => Performers;
  readonly failPoint?: FailPoints;
}

/** What a process needs that performs one attempt: no session, no queue, no housekeeping. */
export async function openIsolatedParts(options: IsolatedPartsOptions): Promise<IsolatedParts> {
  const { meter, failPoint, performersOf = (all) => all } = options;
  const closers = createClosers(options.log);
  const none = { onWakeUps: () => undefined, room: () => 0, maxConnections: 2 };
  const { store, channels } = await openTruth(options, closers, none);
  const { performers, late, tools: _, ...parts } = await openAttemptParts(options, store, channels, closers);
  const work = {
    ...parts,
    store,
    performers: performersOf(performers),
    meter,
    log: options.log,
    clock: Date.now,
    monotonic,
    random: Math.random,
    ...(failPoint !== undefined && { failPoint }),
  };
  return { work, late, close: closers.closeAll };
}

async function dispatch(
  { failPoint, takesNow, log }: RuntimeOptions,
  { queue, housekeeping }: Later,
  pool: string,
  wakeUps: readonly WakeUp[],
): Promise<void> {
  const rest = takesNow === undefined ? wakeUps : wakeUps.filter((wakeUp) => !takesNow(pool, wakeUp));
  if (rest.length === 0) return;
  try {
    for (const wakeUp of rest) await failPoint?.("before-dispatch", wakeUp);
    housekeeping?.took(pool, rest.length);
    await queue?.enqueue(pool, rest);
  } catch (error) {
    log.warn("enqueue-failed", { pool, count: rest.length, error });
  }
}

function openModels(config: Config, limiter: RateLimiter, gate: ProviderGate): ModelPort {
  const limit = { max: config.limiter.max, durationMs: config.limiter.duration };
  return createModels({
    ...modelSettings(config),
    limiter: { acquire: (ref, signal) => limiter.acquire(`model:${ref.provider}`, limit, signal) },
    gate,
    now: Date.now,
  });
}
