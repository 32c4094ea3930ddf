/**
 * The composition root of the api: the only place where engine and adapters meet.
 *
 * 1. With `redisUrl` the queue, the live channel and the limiter are on Redis, without it on PostgreSQL.
 * 2. No URL is guessed: an unset database is an error that says what to set.
 * 3. A wake-up that cannot be put on the queue is not lost: the step stays dispatched and time repeats it.
 */
import { createHash, randomBytes } from "node:crypto";
import { modelSettings, requireDatabaseUrl } from "@baton/config";
import type { Config } from "@baton/config";
import { BatonError, defaultTenantId, uuidv7 } from "@baton/core";
import type { LivePort, LogPort, MeterPort, ModelPort, QueuePort, RateLimiter, WakeUp } from "@baton/core/ports";
import { startHousekeeping } from "@baton/housekeeping";
import type { Housekeeping } from "@baton/housekeeping";
import { createPostgresLive, createRedisLive } from "@baton/live";
import { createModels } from "@baton/llm";
import { createPerformers, shouldOrchestrate } from "@baton/orchestrator";
import {
  createRedisLimiter,
  openPostgresQueue,
  openRedisConnection,
  openRedisQueue,
  queueBoardQueues,
} from "@baton/queue";
import { openStore } from "@baton/store";
import type { Store } from "@baton/store";
import { createBuiltinTools, createToolRegistry, loadToolsFolder, watchToolsFolder } from "@baton/tools";
import type { ToolRegistry } from "@baton/tools";
import { hashApiKey } from "./access/api-key.ts";
import { createBoards } from "./board/boards.ts";
import type { ApiDeps } from "./deps.ts";
import { startInteractive } from "./interactive.ts";
import type { Interactive } from "./interactive.ts";
import { interactivePool } from "./tasks/layout.ts";

const version = "0.1.0";
const plannedPool = "default";
const newId = (): string => uuidv7(Date.now(), randomBytes(10));

export interface ComposeOptions {
  readonly config: Config;
  /** Works from the start, with every scope, in the installation's own tenant. */
  readonly apiKey: string | undefined;
  readonly log: LogPort;
  readonly meter: MeterPort & { text(): Promise<string> };
}

export interface Composed {
  readonly deps: ApiDeps;
  /** In the reverse order of opening; trouble is logged, never thrown. */
  close(graceMs: number): Promise<void>;
}

type Closer = readonly [name: string, close: (graceMs: number) => Promise<void>];
type TroubleOf = (part: string) => (error: Error) => void;

export async function compose(options: ComposeOptions): Promise<Composed> {
  const closers: Closer[] = [];
  const close = async (graceMs: number) => {
    for (const [part, closeOne] of closers.splice(0).reverse()) {
      await closeOne(graceMs).catch((error: unknown) => options.log.warn("close-failed", { part, error }));
    }
  };
  try {
    return { deps: await open(options, closers), close };
  } catch (error) {
    await close(0);
    throw error;
  }
}

async function open(options: ComposeOptions, closers: Closer[]): Promise<ApiDeps> {
  const { config, log, meter } = options;
  const troubleOf: TroubleOf = (part) => (error) => {
    meter.count("baton_connection_errors_total", { part });
    log.warn("connection-trouble", { part, error });
  };
  const databaseUrl = requireDatabaseUrl(config);
  // These come to life after the store that hands wake-ups to them.
  const later: { queue?: QueuePort; housekeeping?: Housekeeping; interactive?: Interactive } = {};
  const dispatch = async (pool: string, wakeUps: readonly WakeUp[]) => {
    const rest =
      pool === interactivePool ? wakeUps.filter((wakeUp) => later.interactive?.take(wakeUp) !== true) : wakeUps;
    if (rest.length === 0) return;
    try {
      later.housekeeping?.took(pool, rest.length);
      await later.queue?.enqueue(pool, rest);
    } catch (error) {
      log.warn("enqueue-failed", { pool, count: rest.length, error });
    }
  };
  const store = await openStore({
    url: databaseUrl,
    applicationName: "baton-api",
    newId,
    onError: troubleOf("store"),
    onWakeUps: (byPool) => {
      for (const [pool, wakeUps] of byPool) void dispatch(pool, wakeUps);
    },
    room: () => later.housekeeping?.room() ?? 0,
  });
  closers.push(["store", () => store.close()]);
  await ensureKey(store, options.apiKey, log);
  const { queue, live, limiter } = await openChannels({ config, databaseUrl, store, troubleOf, log }, closers);
  later.queue = queue;
  const tools = await openTools(config, log, closers);
  const models = openModels(config, limiter);
  const slots = config.worker.concurrency;
  const pools = [{ pool: interactivePool, slots }];
  const monotonic = () => performance.now();
  const housekeeping = startHousekeeping({
    store,
    queue,
    pools,
    ages: config.prune,
    meter,
    log,
    monotonic,
    random: Math.random,
  });
  later.housekeeping = housekeeping;
  closers.push(["housekeeping", () => housekeeping.stop()]);
  const interactive = await startInteractive({
    store,
    queue,
    live,
    models,
    performers: createPerformers({ store, models, tools, newId, pool: plannedPool }),
    meter,
    log,
    slots,
    version,
    ...config.session,
    onSettled: (pool) => housekeeping.sawWork(pool),
  });
  later.interactive = interactive;
  closers.push(["interactive", (graceMs) => interactive.stop(graceMs)]);
  return {
    ...ports(config, databaseUrl),
    store,
    live,
    models,
    tools,
    log,
    metrics: () => meter.text(),
    decide: (message, { model, signal }) => shouldOrchestrate(message, { models, model, signal }),
    boards: createBoards(queueBoardQueues(queue, boardPools(config))),
  };
}

/** What is the same whatever was opened. */
function ports(config: Config, databaseUrl: string) {
  return {
    mcpServers: new Map<string, { readonly tools: readonly string[] }>(),
    newId,
    // Every api process of an installation has the same database, and so the same secret.
    secret: createHash("sha256").update(`baton api secret\n${databaseUrl}`).digest(),
    taskDefaults: config.task,
    pool: plannedPool,
    workerDisabled: config.worker.disabled,
    version,
    planWaitMs: 30_000,
    heartbeatMs: 15_000,
    pollMs: 1_000,
  };
}

const boardPools = (config: Config): string[] => [...new Set([plannedPool, interactivePool, ...config.worker.pools])];

function openModels(config: Config, limiter: RateLimiter): ModelPort {
  const limit = { max: config.limiter.max, durationMs: config.limiter.duration };
  return createModels({
    ...modelSettings(config),
    limiter: { acquire: (ref, signal) => limiter.acquire(`model:${ref.provider}`, limit, signal) },
    now: Date.now,
  });
}

/** The key that whoever starts the process hands in (`baton dev`, an operator's first key). */
async function ensureKey(store: Store, key: string | undefined, log: LogPort): Promise<void> {
  if (key === undefined) return;
  if (key.length < 20) {
    throw new BatonError("invalid-configuration", "BATON_API_KEY needs at least 20 characters; generate it at random.");
  }
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

interface ChannelOptions {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly store: Store;
  readonly troubleOf: TroubleOf;
  readonly log: LogPort;
}

interface Channels {
  readonly queue: QueuePort;
  readonly live: LivePort;
  readonly limiter: RateLimiter;
}

async function openChannels(options: ChannelOptions, closers: Closer[]): Promise<Channels> {
  const { config, databaseUrl, store, troubleOf, log } = options;
  const keep = (channels: Channels): Channels => {
    closers.push(["queue", () => channels.queue.close()]);
    closers.push([
      "live",
      async () => {
        await channels.live.flush();
        await channels.live.close();
      },
    ]);
    return channels;
  };
  if (config.redisUrl === undefined) {
    const queue = await openPostgresQueue({ url: databaseUrl, onError: troubleOf("queue") });
    return keep({
      queue,
      live: createPostgresLive({ store: store.live, onError: troubleOf("live") }),
      limiter: store.limiter,
    });
  }
  const connection = await openRedisConnection(config.redisUrl, troubleOf("redis"));
  closers.push(["redis", async () => connection.disconnect()]);
  const onWarning = (message: string) => log.warn("redis-setting", { message });
  const queue = await openRedisQueue({ url: config.redisUrl, onError: troubleOf("queue"), onWarning });
  return keep({
    queue,
    live: createRedisLive({ connection, onError: troubleOf("live") }),
    limiter: createRedisLimiter({ connection }),
  });
}

/** The catalogue that plans are checked against: the same tools that the workers load. */
async function openTools({ http, worker }: Config, log: LogPort, closers: Closer[]): Promise<ToolRegistry> {
  const builtin = createBuiltinTools({ http: { allowHosts: http.allowHosts } });
  if (worker.toolsFolder === undefined) return createToolRegistry({ tools: builtin });
  const registry = createToolRegistry({ tools: [...builtin, ...(await loadToolsFolder(worker.toolsFolder))] });
  const watch = await watchToolsFolder(worker.toolsFolder, ({ tools, problems }) => {
    for (const error of problems) log.error("tools-folder", { error });
    try {
      registry.replaceTools([...builtin, ...tools]);
    } catch (error) {
      log.error("tools-folder", { error });
    }
  });
  closers.push(["tools folder", () => watch.close()]);
  return registry;
}
