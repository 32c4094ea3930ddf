/**
 * The composition root of a worker: the only place where engine and adapters meet.
 *
 * 1. With `redisUrl` the queue, the live channel and the limiter are on Redis, without it on PostgreSQL.
 * 2. No URL is guessed: an unset database is an error that says what to set.
 * 3. A wake-up that cannot be put on the queue is not lost: the step stays dispatched and time repeats it.
 */
import { randomBytes } from "node:crypto";
import { modelSettings, requireDatabaseUrl } from "@baton/config";
import type { Config } from "@baton/config";
import { uuidv7 } from "@baton/core";
import type {
  FailPoint,
  LivePort,
  LogPort,
  MeterPort,
  ModelPort,
  QueuePort,
  RateLimiter,
  WakeUp,
} from "@baton/core/ports";
import { createLateCalls, createStepPerformers } from "@baton/executor";
import type { Performers } from "@baton/executor";
import { startHousekeeping } from "@baton/housekeeping";
import type { Housekeeping } from "@baton/housekeeping";
import { createPostgresLive, createRedisLive } from "@baton/live";
import { createModels } from "@baton/llm";
import { createPerformers } from "@baton/orchestrator";
import { createRedisLimiter, openPostgresQueue, openRedisConnection, openRedisQueue } from "@baton/queue";
import { openStore } from "@baton/store";
import type { Store } from "@baton/store";
import { createBuiltinTools, createToolRegistry, loadToolsFolder, watchToolsFolder } from "@baton/tools";
import type { Tool, ToolRegistry } from "@baton/tools";

const newId = (): string => uuidv7(Date.now(), randomBytes(10));
/** The pool of the steps that a plan adds. */
const defaultPool = "default";

export const monotonic = (): number => performance.now();

export interface ComposeOptions {
  readonly config: Config;
  readonly log: LogPort;
  readonly meter: MeterPort;
  /** The caller's own, beside the built-in ones and those of the tools folder. */
  readonly tools: readonly Tool[];
  /** Slots per pool; empty when this process performs nothing. */
  readonly pools: readonly { readonly pool: string; readonly slots: number }[];
  readonly failPoint?: (
    name: FailPoint,
    ref: { readonly taskId: string; readonly stepId: string },
  ) => void | Promise<void>;
}

export interface Parts {
  readonly store: Store;
  readonly queue: QueuePort;
  readonly live: LivePort;
  readonly models: ModelPort;
  readonly tools: ToolRegistry;
  readonly performers: Performers;
  readonly housekeeping: Housekeeping;
  /** In the reverse order of opening; trouble is logged, never thrown. */
  close(): Promise<void>;
}

type Closer = readonly [name: string, close: () => Promise<void>];

export async function compose(options: ComposeOptions): Promise<Parts> {
  const { config, log, meter } = options;
  const opened: Closer[] = [];
  const close = async () => {
    for (const [name, closeOne] of opened.splice(0).reverse()) {
      await closeOne().catch((error: unknown) => log.warn("close-failed", { part: name, error }));
    }
  };
  try {
    return { ...(await open(options, opened)), close };
  } catch (error) {
    await close();
    throw error;
  }

  async function open({ pools, failPoint }: ComposeOptions, closers: Closer[]): Promise<Omit<Parts, "close">> {
    const troubleOf = (part: string) => (error: Error) => {
      meter.count("baton_connection_errors_total", { part });
      log.warn("connection-trouble", { part, error });
    };
    const databaseUrl = requireDatabaseUrl(config);
    // Both come to life after the store that hands wake-ups to them.
    const later: { queue?: QueuePort; housekeeping?: Housekeeping } = {};
    const enqueue = async (pool: string, wakeUps: readonly WakeUp[]) => {
      try {
        for (const wakeUp of wakeUps) await failPoint?.("before-dispatch", wakeUp);
        later.housekeeping?.took(pool, wakeUps.length);
        await later.queue?.enqueue(pool, wakeUps);
      } catch (error) {
        log.warn("enqueue-failed", { pool, count: wakeUps.length, error });
      }
    };
    const store = await openStore({
      url: databaseUrl,
      applicationName: "baton-worker",
      newId,
      onError: troubleOf("store"),
      onWakeUps: (byPool) => {
        for (const [pool, wakeUps] of byPool) void enqueue(pool, wakeUps);
      },
      room: () => later.housekeeping?.room() ?? 0,
    });
    closers.push(["store", () => store.close()]);
    const { queue, live, limiter } = await openChannels(config.redisUrl, databaseUrl, store, troubleOf, log, closers);
    later.queue = queue;
    const late = createLateCalls(store, log);
    const tools = await openTools(options, (call) => void late.arrived(call), closers);
    const limit = { max: config.limiter.max, durationMs: config.limiter.duration };
    const models = createModels({
      ...modelSettings(config),
      limiter: { acquire: (ref, signal) => limiter.acquire(`model:${ref.provider}`, limit, signal) },
      now: Date.now,
    });
    const performers: Performers = {
      ...createStepPerformers({ store, models, tools, late, log, newId, clock: Date.now }),
      ...createPerformers({ store, models, tools, newId, pool: defaultPool }),
    };
    const housekeeping = startHousekeeping({
      store,
      queue,
      pools,
      ages: config.prune,
      meter,
      log,
      monotonic,
      random: Math.random,
      ...(failPoint !== undefined && { failPoint }),
    });
    later.housekeeping = housekeeping;
    closers.push(["housekeeping", () => housekeeping.stop()]);
    return { store, queue, live, models, tools, performers, housekeeping };
  }
}

interface Channels {
  readonly queue: QueuePort;
  readonly live: LivePort;
  readonly limiter: RateLimiter;
}

async function openChannels(
  redisUrl: string | undefined,
  databaseUrl: string,
  store: Store,
  troubleOf: (part: string) => (error: Error) => void,
  log: LogPort,
  closers: Closer[],
): Promise<Channels> {
  const keep = (queue: QueuePort, live: LivePort) => {
    closers.push(
      ["queue", () => queue.close()],
      [
        "live",
        async () => {
          await live.flush();
          await live.close();
        },
      ],
    );
  };
  if (redisUrl === undefined) {
    const queue = await openPostgresQueue({ url: databaseUrl, onError: troubleOf("queue") });
    const live = createPostgresLive({ store: store.live, onError: troubleOf("live") });
    keep(queue, live);
    return { queue, live, limiter: store.limiter };
  }
  const connection = await openRedisConnection(redisUrl, troubleOf("redis"));
  closers.push(["redis", () => Promise.resolve(connection.disconnect())]);
  const queue = await openRedisQueue({
    url: redisUrl,
    onError: troubleOf("queue"),
    onWarning: (message) => log.warn("redis-setting", { message }),
  });
  const live = createRedisLive({ connection, onError: troubleOf("live") });
  keep(queue, live);
  return { queue, live, limiter: createRedisLimiter({ connection }) };
}

async function openTools(
  { config, log, tools: own }: ComposeOptions,
  onLate: NonNullable<NonNullable<Parameters<typeof createToolRegistry>[0]>["onLate"]>,
  closers: Closer[],
): Promise<ToolRegistry> {
  const fixed = [
    ...createBuiltinTools({ http: { allowHosts: config.http.allowHosts }, workspaces: config.worker.workspaces }),
    ...own,
  ];
  const folder = config.worker.toolsFolder;
  if (folder === undefined) return createToolRegistry({ tools: fixed, onLate });
  const registry = createToolRegistry({ tools: [...fixed, ...(await loadToolsFolder(folder))], onLate });
  const watch = await watchToolsFolder(folder, ({ tools, problems }) => {
    for (const error of problems) log.error("tools-folder", { error });
    try {
      registry.replaceTools([...fixed, ...tools]);
    } catch (error) {
      log.error("tools-folder", { error });
    }
  });
  closers.push(["tools folder", () => watch.close()]);
  return registry;
}
