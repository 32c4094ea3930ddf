/** A database, a client's view of it, and workers as processes of their own. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultTenantId, uuidv7 } from "@baton/core";
import type { TaskRef } from "@baton/core";
import { layOutPlan, planSpec } from "@baton/core/plan";
import type { NewStep } from "@baton/core/ports";
import { taskSettings } from "@baton/core/task";
import { openPostgresQueue, openRedisQueue } from "@baton/queue";
import { openStore } from "@baton/store";
import type { StepRow, Store, TaskRow } from "@baton/store";
import { createTestDatabase } from "@baton/testing/databases";

const newId = () => uuidv7(Date.now(), randomBytes(10));
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const tools = fileURLToPath(new URL("tools", import.meta.url));

export interface WorkerProcess {
  readonly pid: number;
  readonly url: string;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Everything it logged, one object a line. */
  readonly lines: readonly Record<string, unknown>[];
  kill(signal: NodeJS.Signals): void;
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
}

export interface Installation {
  readonly store: Store;
  /** What a worker needs to find it. */
  readonly env: Readonly<Record<string, string>>;
  startWorker(env?: Record<string, string>): Promise<WorkerProcess>;
  create(steps: readonly unknown[]): Promise<TaskRef>;
  createGoal(goal: string, workspace: string): Promise<TaskRef>;
  /** Waits until the task is in one of the states. */
  until(ref: TaskRef, ...states: string[]): Promise<TaskRow>;
  steps(ref: TaskRef): Promise<ReadonlyMap<string, StepRow>>;
  close(): Promise<void>;
}

export async function runMain(env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const folder = mkdtempSync(join(tmpdir(), "baton-worker-"));
  const child = spawn(process.execPath, [main], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (data) => (output += String(data)));
  child.stderr.on("data", (data) => (output += String(data)));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  rmSync(folder, { recursive: true, force: true });
  return { code, output };
}

export async function openInstallation(postgresUrl: string, redisUrl?: string): Promise<Installation> {
  const database = await createTestDatabase(postgresUrl);
  const folder = mkdtempSync(join(tmpdir(), "baton-worker-"));
  const workers: { child: ChildProcess; ended: Promise<unknown> }[] = [];
  const onError = () => undefined;
  const queue =
    redisUrl === undefined
      ? await openPostgresQueue({ url: database.url, onError })
      : await openRedisQueue({ url: redisUrl, onError });
  const store = await openStore({
    url: database.url,
    applicationName: "test",
    newId,
    onError,
    onWakeUps: (byPool) => {
      for (const [pool, wakeUps] of byPool) queue.enqueue(pool, wakeUps).catch(onError);
    },
  });
  const channels = { DATABASE_URL: database.url, ...(redisUrl !== undefined && { REDIS_URL: redisUrl }) };
  const until: Installation["until"] = async (ref, ...states) => {
    const giveUpAt = Date.now() + 50_000;
    for (;;) {
      const task = await store.getTask(ref);
      if (task !== undefined && states.includes(task.state)) return task;
      if (Date.now() > giveUpAt)
        throw new Error(`The task is ${task?.state}: ${JSON.stringify(await store.whyTask(ref))}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };
  return {
    store,
    env: channels,
    until,
    async startWorker(env = {}) {
      const child = spawn(process.execPath, [main], {
        cwd: folder,
        env: {
          PATH: process.env["PATH"] ?? "",
          ...channels,
          BATON_TOOLS: tools,
          BATON_BEAT_MS: "1000",
          BATON_LEASE_MS: "3000",
          BATON_CONCURRENCY: "5",
          ...env,
        },
        stdio: ["ignore", "ignore", "pipe"],
      });
      const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
        child.once("close", (code, signal) => resolve({ code, signal })),
      );
      workers.push({ child, ended });
      const lines: Record<string, unknown>[] = [];
      const url = await new Promise<string>((resolve, reject) => {
        let text = "";
        let rest = "";
        child.stderr?.on("data", (data) => {
          text += String(data);
          rest += String(data);
          const whole = rest.split("\n");
          rest = whole.pop() ?? "";
          for (const line of whole) {
            if (!line.startsWith("{")) continue;
            const entry = JSON.parse(line) as Record<string, unknown>;
            lines.push(entry);
            if (entry["event"] === "worker-started") resolve(String(entry["url"]));
          }
        });
        child.once("close", () => reject(new Error(`The worker ended: ${text}`)));
      });
      return {
        pid: child.pid ?? 0,
        url,
        ended,
        lines,
        kill: (signal) => void child.kill(signal),
        async get(path) {
          const response = await fetch(`${url}${path}`);
          return { status: response.status, text: await response.text() };
        },
      };
    },
    async create(steps) {
      const taskId = newId();
      const plan = planSpec.parse({ steps });
      await store.createTask({
        tenantId: defaultTenantId,
        taskId,
        kind: "plan",
        goal: "Test the worker",
        input: null,
        settings: taskSettings.parse({ evaluate: false, checkpointInterval: 1_000 }),
        steps: layOutPlan(plan, { newId, retry: { max_attempts: 3, base_ms: 10 }, pool: "default", rankOf: () => 1 }),
        traces: [],
      });
      return { tenantId: defaultTenantId, taskId };
    },
    async createGoal(goal, workspace) {
      const taskId = newId();
      const plan: NewStep = {
        stepId: newId(),
        key: "plan",
        kind: "plan",
        type: "plan",
        description: "Plan the goal",
        config: {},
        join: "all",
        dependsOn: [],
        references: [],
        rank: 0,
        pool: "interactive",
        timeoutMs: 60_000,
        retry: {},
        onExhausted: "fail",
      };
      const settings = taskSettings.parse({ workspace });
      await store.createTask({
        tenantId: defaultTenantId,
        taskId,
        kind: "goal",
        goal,
        input: null,
        settings,
        steps: [plan],
        traces: [],
      });
      return { tenantId: defaultTenantId, taskId };
    },
    async steps(ref) {
      return new Map((await store.listTaskSteps(ref, { limit: 1_000 })).map((step) => [step.key, step]));
    },
    async close() {
      for (const { child } of workers) child.kill("SIGKILL");
      await Promise.all(workers.map(({ ended }) => ended));
      await queue.close();
      await store.close();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
