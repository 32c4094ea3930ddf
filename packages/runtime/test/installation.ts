/** A database and processes' parts in this one: runtimes and lives as both apps open them. */
import { randomBytes } from "node:crypto";
import { loadConfig } from "@baton/config";
import { defaultTenantId, uuidv7 } from "@baton/core";
import type { StepRef, TaskRef } from "@baton/core";
import { layOutPlan, planSpec } from "@baton/core/plan";
import type { SessionOptions } from "@baton/core/ports";
import { taskSettings } from "@baton/core/task";
import type { StepRow, Store } from "@baton/store";
import { createTestDatabase } from "@baton/testing/databases";
import { defineTool } from "@baton/tools";
import type { Tool } from "@baton/tools";
import { z } from "zod";
import { openRuntime, startLives } from "../src/index.ts";
import type { Lives, Runtime } from "../src/index.ts";

export const newId = () => uuidv7(Date.now(), randomBytes(10));
export const pool = "default";

export interface Installation {
  readonly logged: readonly { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[];
  openRuntime(options?: OpenOptions): Promise<Runtime>;
  startLives(runtime: Runtime, role: SessionOptions["role"], changes?: LivesChanges): Promise<Lives>;
  /** A task of one step that ends when `gate` opens. */
  createGated(runtime: Runtime, timeoutMs?: number): Promise<StepRef & TaskRef>;
  /** Opens the gate, for good. */
  open(): void;
  step(runtime: Runtime, ref: TaskRef): Promise<StepRow>;
  /** As a superuser. */
  execute(statement: string): Promise<void>;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly takesNow?: NonNullable<Parameters<typeof openRuntime>[0]["takesNow"]>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface LivesChanges {
  readonly store?: Store;
  readonly reportEveryMs?: number;
}

export async function openInstallation(postgresUrl: string, slots = 4): Promise<Installation> {
  const database = await createTestDatabase(postgresUrl);
  const logged: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const keep = (event: string, fields: Readonly<Record<string, unknown>> = {}) => void logged.push({ event, fields });
  const log = { debug: () => undefined, info: keep, warn: keep, error: keep };
  const meter = { count: () => undefined, gauge: () => undefined, observe: () => undefined };
  const closers: (() => Promise<void>)[] = [];
  const gate = Promise.withResolvers<void>();
  const gated: Tool = defineTool({
    name: "test.gate",
    description: "Ends when the gate opens",
    input: z.object({}),
    output: z.string(),
    effect: "read",
    async execute(_input, { signal }) {
      const stopped = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => stopped.reject(signal.reason as Error), { once: true });
      await Promise.race([gate.promise, stopped.promise]);
      return "through";
    },
  });
  const configOf = (env: Readonly<Record<string, string>> = {}) =>
    loadConfig({
      folder: "/nowhere",
      env: { DATABASE_URL: database.url, BATON_BEAT_MS: "1000", BATON_LEASE_MS: "3000", ...env },
    }).config;
  return {
    logged,
    async openRuntime({ takesNow, env } = {}) {
      const runtime = await openRuntime({
        config: configOf(env),
        log,
        meter,
        applicationName: "runtime-test",
        tools: [gated],
        pools: [{ pool, slots }],
        ...(takesNow !== undefined && { takesNow }),
      });
      closers.push(() => runtime.close());
      return runtime;
    },
    async startLives(runtime, role, { store = runtime.store, reportEveryMs = 30_000 } = {}) {
      const lives = await startLives({
        runtime: { ...runtime, store },
        role,
        version: "0.0.0-test",
        pools: [{ pool, slots }],
        toolNames: [gated.name],
        session: configOf().session,
        continuation: true,
        reportEveryMs,
        log,
        meter,
      });
      closers.push(() => lives.stop(0));
      return lives;
    },
    async createGated({ store }, timeoutMs = 60_000) {
      const taskId = newId();
      const plan = planSpec.parse({
        steps: [{ id: "a", type: "tool", tool: gated.name, arguments: {}, timeout_ms: timeoutMs }],
      });
      const steps = layOutPlan(plan, { newId, retry: { max_attempts: 3, base_ms: 10 }, pool, rankOf: () => 1 });
      await store.createTask({
        tenantId: defaultTenantId,
        taskId,
        kind: "plan",
        goal: "Test the runtime",
        input: null,
        settings: taskSettings.parse({ evaluate: false, checkpointInterval: 1_000 }),
        steps,
        traces: [],
      });
      return { tenantId: defaultTenantId, taskId, stepId: steps[0]?.stepId ?? "" };
    },
    open() {
      gate.resolve();
    },
    async step({ store }, ref) {
      const [step] = await store.listTaskSteps(ref, { limit: 1 });
      if (step === undefined) throw new Error("The task has no step.");
      return step;
    },
    execute: (statement) => database.execute(statement),
    async close() {
      for (const closeOne of closers.reverse()) await closeOne();
      await database.drop();
    },
  };
}
