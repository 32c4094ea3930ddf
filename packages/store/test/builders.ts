/** What the store's tests share: a store on a database of its own, steps, and outcomes. */
import { randomBytes } from "node:crypto";
import { defaultTenantId, uuidv7 } from "@baton/core";
import type { ClaimedStep, NewStep, Outcome, Session, Settlement, WakeUp } from "@baton/core/ports";
import { type TaskSettingsInput, taskSettings } from "@baton/core/task";
import { openStore, type Store } from "@baton/store";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import pg from "pg";
import { inject } from "vitest";

export const newId = (): string => uuidv7(Date.now(), randomBytes(10));

export interface OpenedStore {
  readonly store: Store;
  readonly session: Session;
  readonly sent: WakeUp[];
}

export interface Bench extends OpenedStore {
  readonly database: TestDatabase;
  /** A superuser's connection, for looking and for breaking things. */
  readonly admin: pg.Client;
  /** A further store with a session of its own, as another worker process has. */
  open(options?: { readonly leaseMs?: number; readonly pools?: readonly string[] }): Promise<OpenedStore>;
  close(): Promise<void>;
}

export async function openBench(): Promise<Bench> {
  const database = await createTestDatabase(inject("postgresUrl"));
  const admin = new pg.Client({ connectionString: database.adminUrl });
  admin.on("error", () => undefined);
  await admin.connect();
  const opened: OpenedStore[] = [];
  const open: Bench["open"] = async (options = {}) => {
    const sent: WakeUp[] = [];
    const store = await openStore({
      url: database.url,
      applicationName: "test",
      newId,
      onError: () => undefined,
      onWakeUps: (byPool) => {
        for (const list of byPool.values()) sent.push(...list);
      },
      patienceMs: 20_000,
    });
    const session = await store.openSession({
      pools: options.pools ?? ["default"],
      slots: 10,
      tools: [],
      version: "test",
      role: "worker",
      beatMs: 1_000,
      leaseMs: options.leaseMs ?? 30_000,
    });
    opened.push({ store, session, sent });
    return { store, session, sent };
  };
  const first = await open();
  return {
    ...first,
    database,
    admin,
    open,
    close: async () => {
      for (const { session, store } of opened) {
        await session.close();
        await store.close();
      }
      await admin.end();
      await database.drop();
    },
  };
}

export function step(key: string, stepId: string, after: readonly string[] = [], more: Partial<NewStep> = {}): NewStep {
  return {
    stepId,
    key,
    kind: "user",
    type: "tool",
    description: key,
    config: { type: "tool", tool: "clock.now" },
    join: "all",
    dependsOn: after.map((fromStepId) => ({ fromStepId })),
    references: [],
    rank: 1,
    pool: "default",
    timeoutMs: 60_000,
    retry: {},
    onExhausted: "fail",
    ...more,
  };
}

export interface CreatedTask {
  readonly tenantId: string;
  readonly taskId: string;
}

export async function createTask(
  store: Store,
  steps: readonly NewStep[],
  more: {
    readonly settings?: TaskSettingsInput;
    readonly kind?: "goal" | "plan" | "reply";
    readonly threadId?: string;
    readonly tenantId?: string;
  } = {},
): Promise<CreatedTask> {
  const ref = { tenantId: more.tenantId ?? defaultTenantId, taskId: newId() };
  await store.createTask({
    ...ref,
    kind: more.kind ?? "plan",
    goal: "a test",
    input: null,
    settings: taskSettings.parse(more.settings ?? {}),
    steps,
    traces: [],
    ...(more.threadId === undefined ? {} : { threadId: more.threadId }),
  });
  return ref;
}

export const completed = (
  output: unknown = { ok: true },
  more: Partial<Extract<Outcome, { outcome: "completed" }>> = {},
): Outcome => ({
  outcome: "completed",
  outputJson: JSON.stringify(output),
  deadEdges: [],
  ...more,
});
export const failure = { code: "tool-failed", message: "it broke", causes: [] };

export function settlementOf(claimed: ClaimedStep, outcome: Outcome, mayContinue = false): Settlement {
  return { ref: claimed.ref, attemptNo: claimed.attemptNo, outcome, traces: [], mayContinue };
}

export const wakeUpOf = (task: CreatedTask, stepId: string, dispatchNo = 1): WakeUp => ({
  ...task,
  stepId,
  dispatchNo,
});

/** Claims what must be claimable. */
export async function claim(store: Store, task: CreatedTask, stepId: string): Promise<ClaimedStep> {
  const claimed = await store.claimStep(wakeUpOf(task, stepId));
  if (claimed === undefined) throw new Error(`The step ${stepId} could not be claimed.`);
  return claimed;
}

export async function statesOf(store: Store, task: CreatedTask): Promise<Record<string, string>> {
  const steps = await store.listTaskSteps(task, { limit: 100_000 });
  return Object.fromEntries(steps.map((each) => [each.key, each.state]));
}
