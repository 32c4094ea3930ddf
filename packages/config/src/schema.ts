/**
 * Every setting: its shape, its bounds and its default, with the names that users of this system know.
 *
 * The default of `concurrency` (100) serves LLM work: a slot waits for a provider and costs no processor.
 * At the default limiter of 10 calls a second and about 5 s a call, 50 calls are under way at once
 * (Little's law); their default of 5 would leave nine tenths of the provider's rate unused.
 */
import { z } from "zod";

const ms = (least: number, most: number) => z.int().min(least).max(most);
const port = z.int().min(0).max(65_535);
const postgresUrl = z.string().regex(/^postgres(ql)?:\/\//, "a URL like postgres://user:password@host:5432/name");
const redisUrl = z.string().regex(/^rediss?:\/\//, "a URL like redis://host:6379");
const httpUrl = z.string().regex(/^https?:\/\//, "a URL like https://host/v1");
const modelName = z.string().regex(/^[^/\s]+\/\S+$/, 'provider and model, like "anthropic/claude-sonnet-5-5"');

const day = 86_400_000;

export const configSchema = z.strictObject({
  /** PostgreSQL, the only truth; without it the embedded one of `baton dev` is meant, which sets this. */
  databaseUrl: postgresUrl.optional(),
  /** With it BullMQ runs on Redis, without it on PostgreSQL. */
  redisUrl: redisUrl.optional(),
  /** Where dev and demo keep the embedded database and artifacts. */
  dataFolder: z.string().min(1).default(".baton"),
  logLevel: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  /** Defaults of every task; a task's own settings win. */
  task: z
    .strictObject({
      maxSteps: z.int().min(1).max(100_000).default(50),
      contextWindowLimit: z.int().min(500).max(10_000_000).default(100_000),
      checkpointInterval: z.int().min(1).max(100_000).default(5),
      maxPlanRevisions: z.int().min(0).max(50).default(5),
      maxTokens: z.int().min(1).optional(),
    })
    .prefault({}),
  worker: z
    .strictObject({
      /** Steps performed at once by one process. */
      concurrency: z.int().min(1).max(10_000).default(100),
      /** Of those, the ones in processes of their own, because workers died while they were performed; each takes about 100 MB. */
      isolatedConcurrency: z.int().min(1).max(1_000).default(4),
      pools: z.array(z.string().min(1).max(60)).min(1).default(["default", "interactive"]),
      /** A worker goes on with a step's successor in the same slot; off, every step travels through the queue. */
      continuation: z.boolean().default(true),
      /** True: no consumer is started, tasks wait, readiness says `worker-disabled`. */
      disabled: z.boolean().default(false),
      /** From SIGTERM until running steps are handed back. */
      graceMs: ms(0, 3_600_000).default(20_000),
      host: z.string().min(1).default("127.0.0.1"),
      /** Health and metrics; 0 takes a free port, which is logged. */
      port: port.default(0),
      /** Folders, with all below them, that a task may name as its workspace; none unless said: a client could read any file. */
      workspaces: z.array(z.string().min(1).max(4_000)).default([]),
      /** A folder of tools in TypeScript. */
      toolsFolder: z.string().min(1).optional(),
    })
    .prefault({}),
  /** Model calls of all workers together. */
  limiter: z
    .strictObject({ max: z.int().min(1).max(1_000_000).default(10), duration: ms(1, 3_600_000).default(1_000) })
    .prefault({}),
  session: z
    .strictObject({ beatMs: ms(100, 60_000).default(3_000), leaseMs: ms(300, 600_000).default(10_000) })
    .prefault({})
    .refine(({ beatMs, leaseMs }) => leaseMs >= 3 * beatMs, {
      path: ["leaseMs"],
      message: "must be at least 3 × beatMs, so that one lost beat does not end a session",
    }),
  api: z
    .strictObject({
      host: z.string().min(1).default("127.0.0.1"),
      port: port.default(3_000),
      /** Works from the start, with every scope, beside the keys in the database. */
      key: z.string().min(20, "needs at least 20 characters; generate it at random").optional(),
      /** A folder of agents, one a file. */
      agentsFolder: z.string().min(1).optional(),
    })
    .prefault({}),
  models: z
    .strictObject({
      /** Used where a task and a step name none; by default the first provider that is configured. */
      default: modelName.optional(),
      /** What the offline model waits before it answers. */
      offlineLatencyMs: ms(0, 600_000).default(0),
      /** A stream of a model that sends nothing for so long is cut, and its step tried again. */
      streamIdleMs: ms(1_000, 3_600_000).default(120_000),
      anthropic: z.strictObject({ apiKey: z.string().min(1).optional(), baseUrl: httpUrl.optional() }).prefault({}),
      openaiCompatible: z
        .array(
          z.strictObject({
            name: z.string().min(1).max(60),
            baseUrl: httpUrl,
            apiKey: z.string().min(1).optional(),
            models: z.array(z.string().min(1)).min(1),
            structuredOutput: z.boolean().default(true),
          }),
        )
        .default([]),
    })
    .prefault({}),
  http: z
    .strictObject({
      /** `host` or `host:port` that tools may reach although they are private. */
      allowHosts: z.array(z.string().min(1).max(260)).default([]),
    })
    .prefault({}),
  mcp: z
    .strictObject({
      /** A JSON file that names the MCP servers whose tools the installation has. */
      serversFile: z.string().min(1).optional(),
    })
    .prefault({}),
  /** Ages after which rows are deleted. */
  prune: z
    .strictObject({
      finishedTasksMs: ms(60_000, 3_650 * day).default(30 * day),
      idempotencyMs: ms(60_000, 365 * day).default(day),
      sessionsMs: ms(60_000, 365 * day).default(day),
      liveMs: ms(1_000, day).default(600_000),
    })
    .prefault({}),
});

export type Config = z.infer<typeof configSchema>;
