/** The names that users of such systems know exist where users import, and mean what they say. */
import { defaultTenantId } from "@baton/core";
import type { QueuePort } from "@baton/core/ports";
import { createModels, offlineRef } from "@baton/llm";
import { decomposeGoal, evaluateProgress, shouldOrchestrate, summarizeContext } from "@baton/orchestrator";
import {
  cancelJob,
  getJobStatus,
  openPostgresQueue,
  openRedisQueue,
  queueTaskContinuation,
  queueTaskStep,
} from "@baton/queue";
import { taskExecution, taskExecutionStep, taskExecutionTrace } from "@baton/store/schema";
import { createBuiltinTools, createToolRegistry } from "@baton/tools";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { onEachBackend, type Stack, startStack, until } from "./stack.ts";

describe("the orchestrator's names", () => {
  const models = createModels({
    providers: { offline: { latencyMs: 0 } },
    defaultModel: offlineRef,
    now: Date.now,
  });
  const tools = createToolRegistry({ tools: createBuiltinTools({ http: { allowHosts: [] }, workspaces: [] }) }).list();
  const goal = "Read every Markdown file below docs, summarise each one, and write a report of the decisions";

  it("shouldOrchestrate tells work from conversation, with reasons and confidence", async () => {
    const work = await shouldOrchestrate(goal, { models });
    expect(work.orchestrate).toBe(true);
    expect(work.confidence).toBeGreaterThan(0.5);
    expect(work.reasons.length).toBeGreaterThan(1);
    expect((await shouldOrchestrate("Hello!", { models })).orchestrate).toBe(false);
  });

  it("decomposeGoal turns a goal into a plan over the tools at hand", async () => {
    const { plan, offline } = await decomposeGoal(goal, tools, { models });
    expect(plan.steps.length).toBeGreaterThan(2);
    expect(plan.steps.some((step) => step.type === "map")).toBe(true);
    expect(offline).toBe(true);
  });

  it("evaluateProgress judges a task by its steps", async () => {
    const steps = [{ id: "report", description: "Report", state: "completed", preview: "We decided to wait." }];
    const judged = await evaluateProgress({ goal, steps, tools, revisionCount: 0 }, { models });
    expect(judged).toMatchObject({ verdict: "done", reason: expect.any(String) });
  });

  it("summarizeContext shortens a context without inventing a sentence", async () => {
    const facts = Array.from({ length: 60 }, (_, index) => `Unit ${index} was moved to hall ${index % 7}.`);
    const context = [{ role: "user" as const, content: facts.join(" ") }];
    const { text, tokensAfter, tokensBefore } = await summarizeContext(context, {
      models,
      goal: "Which halls?",
      maxTokens: 200,
    });
    expect(tokensAfter).toBeLessThan(tokensBefore);
    const sentences = text.match(/Unit \d+ was moved to hall \d\./g) ?? [];
    expect(sentences.length).toBeGreaterThan(0);
    for (const sentence of sentences) expect(facts).toContain(sentence);
  });
});

onEachBackend("the queue's and the store's names", (backend) => {
  const pool = "default";
  let model: ScriptedModel;
  let stack: Stack;
  let queue: QueuePort;
  beforeAll(async () => {
    model = await startScriptedModel();
    stack = await startStack({ backend, workers: 1, env: { ...model.env, BATON_CONCURRENCY: "1" } });
    const onError = () => undefined;
    const { redis, database } = stack;
    queue = await (redis === undefined
      ? openPostgresQueue({ url: database.url, onError })
      : openRedisQueue({ url: redis.url, onError }));
  });
  afterAll(async () => {
    await queue?.close();
    await stack?.stop();
    await model?.close();
  });

  const refOf = (taskId: string) => ({ tenantId: defaultTenantId, taskId });
  const stepsOf = (taskId: string) => stack.store.listTaskSteps(refOf(taskId), { limit: 100 });
  /** A task of parallel steps; resolves to its id and its steps' first wake-ups. */
  const start = async (count: number, delayMs: number) => {
    const word = model.script({ reason: { text: "Answered.", delayMs } });
    const { id } = await stack.client.createTask({
      goal: word,
      plan: {
        steps: Array.from({ length: count }, (_, index) => ({
          id: `s${index}`,
          type: "llm" as const,
          prompt: "Answer.",
        })),
      },
    });
    const wakeUps = (await stepsOf(id)).map(({ stepId }) => ({ ...refOf(id), stepId, dispatchNo: 1 }));
    return { id, word, wakeUps };
  };
  const completes = async (id: string) => {
    await until(`task ${id} completes`, async () => (await stack.client.getTask(id)).state === "completed");
    await expectRowsToEqualTraces(stack.store, refOf(id));
  };
  const statuses = (wakeUps: Awaited<ReturnType<typeof start>>["wakeUps"]) =>
    Promise.all(wakeUps.map((wakeUp) => getJobStatus(queue, pool, wakeUp)));

  it("getJobStatus shows the messages of a running task; cancelJob removes one, and its step is performed all the same", async () => {
    const { id, word, wakeUps } = await start(4, 1_000);
    await until("one message is held and others wait", async () => {
      const seen = await statuses(wakeUps);
      return seen.includes("active") && seen.includes("waiting");
    });
    const seen = await statuses(wakeUps);
    const victim = wakeUps[seen.lastIndexOf("waiting")] as (typeof wakeUps)[number];
    expect(await cancelJob(queue, pool, victim)).toBe(true);
    expect(await getJobStatus(queue, pool, victim)).toBe("unknown");
    await completes(id);
    expect(model.requests(word)).toHaveLength(4);
    const step = (await stepsOf(id)).find(({ stepId }) => stepId === victim.stepId);
    expect(step).toMatchObject({ state: "completed", attemptNo: 1 });
  });

  it("queueTaskStep wakes a step early at most: a settled one is not performed again", async () => {
    const { id, word, wakeUps } = await start(1, 0);
    await completes(id);
    const late = { ...(wakeUps[0] as (typeof wakeUps)[number]), dispatchNo: 9 };
    expect(await queueTaskStep(queue, pool, late)).toBe(`${late.stepId}-9`);
    await until("a worker took it", async () => (await getJobStatus(queue, pool, late)) === "completed");
    expect(model.requests(word)).toHaveLength(1);
    expect((await stepsOf(id))[0]).toMatchObject({ state: "completed", attemptNo: 1 });
  });

  it("queueTaskContinuation wakes several steps in one call, and repeats harm nothing", async () => {
    const { id, word, wakeUps } = await start(3, 50);
    const again = wakeUps.map((wakeUp) => ({ ...wakeUp, dispatchNo: 9 }));
    expect(await queueTaskContinuation(queue, pool, again)).toEqual(again.map(({ stepId }) => `${stepId}-9`));
    await completes(id);
    await until("the repeats are done with", async () =>
      (await statuses(again)).every((status) => status === "completed"),
    );
    expect(model.requests(word)).toHaveLength(3);
    expect((await stepsOf(id)).map(({ attemptNo }) => attemptNo)).toEqual([1, 1, 1]);
  });

  it("listRunningTasks names a task while it runs and no longer", async () => {
    const { id, word } = await start(1, 600);
    const running = async () => (await stack.store.listRunningTasks(defaultTenantId, 100)).map(({ taskId }) => taskId);
    await until("the model is asked", async () => model.requests(word).length === 1);
    expect(await running()).toContain(id);
    await completes(id);
    expect(await running()).not.toContain(id);
  });

  it("listTaskSteps and listTaskTraces read a task in order, page by page", async () => {
    const { id } = await start(3, 0);
    await completes(id);
    const first = await stack.store.listTaskSteps(refOf(id), { limit: 2 });
    const rest = await stack.store.listTaskSteps(refOf(id), { afterPosition: first[1]?.position as number, limit: 2 });
    expect([...first, ...rest].map(({ key }) => key)).toEqual(["s0", "s1", "s2"]);
    const traces = await stack.store.listTaskTraces(refOf(id), { limit: 1_000 });
    expect(traces[0]?.type).toBe("task-created");
    const newest = await stack.store.listTaskTraces(refOf(id), { limit: 1, newestFirst: true });
    expect(newest[0]).toEqual(traces.at(-1));
    expect(await stack.store.listTaskTraces(refOf(id), { afterNo: 1, limit: 1 })).toEqual([traces[1]]);
  });

  it.each([
    ["task_execution", taskExecution],
    ["task_execution_step", taskExecutionStep],
    ["task_execution_trace", taskExecutionTrace],
  ])("the table %s exists, is exported for typed queries, and has rows", async (name, table) => {
    expect(Reflect.get(table, Symbol.for("drizzle:Name"))).toBe(name);
    const { id } = await start(1, 0);
    await completes(id);
    expect((await stack.database.rowCounts())[name]).toBeGreaterThan(0);
  });
});
