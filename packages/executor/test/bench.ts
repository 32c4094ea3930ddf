/** A worker without a queue: wake-ups go from the store straight to the executor. */
import { randomBytes } from "node:crypto";
import { defaultTenantId, uuidv7 } from "@baton/core";
import type { TaskRef } from "@baton/core";
import { layOutPlan, planSpec } from "@baton/core/plan";
import type { PlanSpec } from "@baton/core/plan";
import type { FailPoint, LivePort, LogPort, ModelPort, Performer, Session, StepType, WakeUp } from "@baton/core/ports";
import { defaultRetryPolicy } from "@baton/core/retry";
import { taskSettings } from "@baton/core/task";
import type { TaskSettingsInput } from "@baton/core/task";
import { createPostgresLive } from "@baton/live";
import { createModels } from "@baton/llm";
import { openStore } from "@baton/store";
import type { StepRow, Store, TaskRow } from "@baton/store";
import { createTestDatabase } from "@baton/testing/databases";
import { createToolRegistry } from "@baton/tools";
import type { Tool } from "@baton/tools";
import { createExecutor, createLateCalls, createStepPerformers } from "../src/index.ts";
import type { Executor } from "../src/index.ts";
import { recordingMeter } from "./step.ts";
import type { Recorded } from "./step.ts";

export const newId = () => uuidv7(Date.now(), randomBytes(10));

export interface BenchOptions {
  readonly postgresUrl: string;
  readonly modelUrl?: string;
  /** The same, as a server of the OpenAI kind without structured output. */
  readonly localModelUrl?: string;
  readonly tools?: readonly Tool[];
  readonly performers?: Partial<Record<StepType, Performer>>;
  readonly slots?: number;
  readonly abandonAfterMs?: number;
  /** Stands in for the session's own signal. */
  readonly lost?: AbortSignal;
  readonly failPoint?: (
    name: FailPoint,
    ref: { readonly taskId: string; readonly stepId: string },
  ) => void | Promise<void>;
  /** Wraps the store, to make its answers late or missing. */
  readonly around?: (store: Store) => Partial<Store>;
}

export interface Bench {
  readonly store: Store;
  readonly executor: Executor;
  readonly models: ModelPort;
  readonly live: LivePort;
  readonly session: Session;
  readonly logged: readonly { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[];
  readonly recorded: readonly Recorded[];
  /** How many attempts there were each time the executor said that they changed. */
  readonly attemptCounts: readonly number[];
  create(plan: PlanSpec, settings?: TaskSettingsInput, input?: unknown, goal?: string): Promise<TaskRef>;
  /** Runs what is ready until the task stops moving by itself. */
  run(ref: TaskRef, until?: (task: TaskRow) => boolean): Promise<TaskRow>;
  runPlan(
    plan: unknown,
    settings?: TaskSettingsInput,
    input?: unknown,
  ): Promise<{ readonly ref: TaskRef; readonly task: TaskRow }>;
  steps(ref: TaskRef): Promise<ReadonlyMap<string, StepRow>>;
  traces(
    ref: TaskRef,
    type?: string,
  ): Promise<readonly { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[]>;
  /** Takes the next wake-ups without performing them. */
  takeWakeUps(): Promise<readonly WakeUp[]>;
  close(): Promise<void>;
}

export async function openBench(options: BenchOptions): Promise<Bench> {
  const database = await createTestDatabase(options.postgresUrl);
  const logged: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const put = (event: string, fields: Readonly<Record<string, unknown>> = {}) => void logged.push({ event, fields });
  const log: LogPort = { debug: put, info: put, warn: put, error: put };
  const waiting: WakeUp[] = [];
  const onError = (error: Error) => put("connection", { error });
  const real = await openStore({
    url: database.url,
    applicationName: "bench",
    newId,
    onError,
    onWakeUps: (byPool) => {
      for (const wakeUps of byPool.values()) waiting.push(...wakeUps);
    },
  });
  const store = options.around === undefined ? real : { ...real, ...options.around(real) };
  const session = await real.openSession({
    pools: ["default"],
    slots: 10,
    tools: [],
    version: "test",
    role: "worker",
    beatMs: 500,
    leaseMs: 30_000,
  });
  const late = createLateCalls(store, log);
  const tools = createToolRegistry({ tools: options.tools ?? [], onLate: (call) => void late.arrived(call) });
  const { modelUrl, localModelUrl } = options;
  const models = createModels({
    providers: {
      offline: { latencyMs: 0 },
      ...(modelUrl !== undefined && { anthropic: { apiKey: "test", baseUrl: modelUrl } }),
      ...(localModelUrl !== undefined && {
        openaiCompatible: [{ name: "local", baseUrl: `${localModelUrl}/v1`, models: ["m"], structuredOutput: false }],
      }),
    },
    defaultModel:
      modelUrl !== undefined
        ? { provider: "anthropic", model: "claude-haiku-4-5" }
        : localModelUrl !== undefined
          ? { provider: "local", model: "m" }
          : { provider: "offline", model: "offline-rules" },
    gate: real.gate,
    now: Date.now,
  });
  const live = createPostgresLive({ store: store.live, onError });
  const none: Performer = () => Promise.reject(new Error("no such performer in this test"));
  const own = createStepPerformers({ store, models, tools, late, log, newId, clock: Date.now });
  const meter = recordingMeter();
  const attemptCounts: number[] = [];
  const executor = createExecutor({
    store,
    live,
    models,
    limiter: store.limiter,
    performers: { plan: none, evaluate: none, reply: none, ...own, ...options.performers },
    meter,
    log,
    slots: options.slots ?? 10,
    lost: options.lost ?? session.lost,
    onAttemptsChanged: () => void attemptCounts.push(executor.attempts().length),
    clock: Date.now,
    monotonic: () => performance.now(),
    random: Math.random,
    ...(options.abandonAfterMs !== undefined && { abandonAfterMs: options.abandonAfterMs }),
    ...(options.failPoint !== undefined && { failPoint: options.failPoint }),
  });
  const stops = await store.listenStops((signal) => executor.stopTask(signal));

  async function takeWakeUps(): Promise<readonly WakeUp[]> {
    const found = await store.dispatchSteps({ pool: "default", room: 1_000, queueWaiting: 0 });
    return [...waiting.splice(0), ...found];
  }
  async function row(ref: TaskRef): Promise<TaskRow> {
    const task = await store.getTask(ref);
    if (task === undefined) throw new Error("the task is gone");
    return task;
  }
  const isAtRest = (task: TaskRow) => ["completed", "failed", "cancelled", "blocked", "paused"].includes(task.state);
  const bench: Bench = {
    store,
    executor,
    models,
    live,
    session,
    logged,
    recorded: meter.recorded,
    attemptCounts,
    takeWakeUps,
    async create(plan, settings = {}, input = null, goal = "Find out what the harbour decided") {
      const taskId = newId();
      const steps = layOutPlan(planSpec.parse(plan), {
        newId,
        retry: { max_attempts: defaultRetryPolicy.maxAttempts, base_ms: 1 },
        pool: "default",
        rankOf: () => 1,
      });
      const parsed = taskSettings.parse({ checkpointInterval: 1_000, evaluate: false, ...settings });
      await store.createTask({
        tenantId: defaultTenantId,
        taskId,
        kind: "plan",
        goal,
        input,
        settings: parsed,
        steps,
        traces: [],
        ...(plan.result !== undefined && { result: plan.result }),
      });
      return { tenantId: defaultTenantId, taskId };
    },
    async run(ref, until = isAtRest) {
      const giveUpAt = Date.now() + 40_000;
      const performing = new Set<Promise<void>>();
      for (;;) {
        for (const wakeUp of await takeWakeUps()) {
          const one = executor.performWakeUp(wakeUp).finally(() => performing.delete(one));
          performing.add(one);
        }
        const task = await row(ref);
        if (until(task)) {
          if (isAtRest(task)) await Promise.all(performing);
          return await row(ref);
        }
        if (Date.now() > giveUpAt)
          throw new Error(`The task rests in ${task.state}: ${JSON.stringify(await store.whyTask(ref))}`);
        await Promise.race([...performing, new Promise((resolve) => setTimeout(resolve, 20))]);
      }
    },
    async runPlan(plan, settings, input) {
      const ref = await bench.create(planSpec.parse(plan), settings, input);
      return { ref, task: await bench.run(ref) };
    },
    async steps(ref) {
      return new Map((await store.listTaskSteps(ref, { limit: 10_000 })).map((step) => [step.key, step]));
    },
    async traces(ref, type) {
      const all = await store.listTaskTraces(ref, { limit: 10_000 });
      return type === undefined ? all : all.filter((trace) => trace.type === type);
    },
    async close() {
      await stops.close();
      await live.flush();
      await live.close();
      await session.close();
      await store.close();
      await database.drop();
    },
  };
  return bench;
}
