import { defaultTenantId } from "@baton/core";
import type { TaskRef } from "@baton/core";
import { compareWithRows, reduce } from "@baton/core/events";
import type { Store, TaskRow } from "@baton/store";
import type { ModelServer, ScriptedReply } from "@baton/testing/model-server";
import { startModelServer } from "@baton/testing/model-server";
import { afterEach, expect, inject, test } from "vitest";
import { type Bench, openBench } from "./bench.ts";

let bench: Bench | undefined;
let server: ModelServer | undefined;
afterEach(async () => {
  await bench?.close();
  await server?.close();
  bench = undefined;
  server = undefined;
});

type Message = { readonly role: string; readonly content: unknown };
interface Asked {
  /** The agent's instructions. */
  readonly who: string;
  /** Model turns before this one. */
  readonly turn: number;
  /** All that was told to it, as JSON. */
  readonly told: string;
}

async function open(reply: (asked: Asked) => ScriptedReply, around?: (store: Store) => Partial<Store>) {
  server = await startModelServer({
    handler: ({ body }) => {
      const messages = body["messages"] as readonly Message[];
      const turn = messages.filter(({ role }) => role === "assistant").length;
      return reply({ who: JSON.stringify(body["system"]), turn, told: JSON.stringify(messages) });
    },
  });
  const opened = await openBench({
    postgresUrl: inject("postgresUrl"),
    modelUrl: server.url,
    ...(around !== undefined && { around }),
  });
  bench = opened;
  const { requests } = server;
  return { ...opened, requests: () => requests.filter(({ path }) => path === "/v1/messages") };
}

const agent = (name: string, more: object = {}) => ({
  name,
  description: `Is ${name}.`,
  instructions: `You are ${name}.`,
  ...more,
});
const planOf = (lead: object, agents: readonly object[]) => ({
  steps: [{ id: "work", type: "agent", agent: lead, agents, prompt: "Write about the harbour." }],
});
const call = (name: string, prompt: string) => ({ name: `agent_${name}`, input: { prompt } });
const childrenOf = async ({ store }: Bench, { taskId }: TaskRef): Promise<readonly TaskRow[]> =>
  (await store.listTasks({ tenantId: defaultTenantId, limit: 100 })).filter(
    ({ parentTaskId }) => parentTaskId === taskId,
  );
const refOf = ({ taskId }: TaskRow): TaskRef => ({ tenantId: defaultTenantId, taskId });

async function expectReduced({ store }: Bench, ref: TaskRef): Promise<void> {
  const task = await store.getTask(ref);
  const steps = await store.listTaskSteps(ref, { limit: 100 });
  if (task === undefined) throw new Error("The task is gone.");
  expect(compareWithRows(reduce(await store.listTaskTraces(ref, { limit: 1_000 })), { task, steps })).toEqual([]);
}

test("agents that it calls in one turn work at once, in tasks of their own, while its step waits without a worker; it is told their answers", async () => {
  const opened = await open(({ who, turn }) => {
    if (who.includes("writer")) return { text: "A paragraph.", delayMs: 1_000 };
    return turn === 0
      ? { toolCalls: [call("writer", "Write about cranes."), call("writer", "Write about ships.")] }
      : { text: "Both are here." };
  });
  const { ref, task } = await opened.runPlan(planOf(agent("lead", { agents: ["writer"] }), [agent("writer")]));
  expect(task.state).toBe("completed");
  const step = (await opened.steps(ref)).get("work");
  expect(step).toMatchObject({ attemptNo: 2, failureCount: 0, output: "Both are here." });
  const children = await childrenOf(opened, ref);
  expect(children.map(({ goal }) => goal).toSorted()).toEqual(["Write about cranes.", "Write about ships."]);
  for (const child of children) {
    expect(child).toMatchObject({ state: "completed", rootTaskId: ref.taskId, kind: "plan", totalSteps: 1 });
    await expectReduced(opened, refOf(child));
  }
  await expectReduced(opened, ref);
  const [one, other] = opened.requests().slice(1, 3);
  expect(other?.at).toBeLessThan(one?.endedAt ?? 0);
  const asked = await opened.traces(ref, "step-asked");
  expect(asked[0]?.data).toMatchObject({ questions: [], children: [{ agent: "writer" }, { agent: "writer" }] });
  expect((await opened.traces(ref, "child-ended")).map(({ data }) => data["state"])).toEqual([
    "completed",
    "completed",
  ]);
});

test("what an agent sees is its instructions and what it was given: nothing of who called it, nothing of its siblings", async () => {
  const seen: Asked[] = [];
  const opened = await open((asked) => {
    seen.push(asked);
    if (asked.who.includes("writer")) return { text: `Paragraph ${asked.told.includes("cranes") ? "C" : "S"}.` };
    return asked.turn === 0
      ? { text: "SECRET THOUGHT", toolCalls: [call("writer", "About cranes."), call("writer", "About ships.")] }
      : { text: "Done." };
  });
  await opened.runPlan(planOf(agent("lead", { agents: ["writer"] }), [agent("writer")]));
  const ofWriters = seen.filter(({ who }) => who.includes("writer"));
  expect(ofWriters).toHaveLength(2);
  for (const { told, who } of ofWriters) {
    expect(told).not.toMatch(/SECRET THOUGHT|harbour/);
    expect(who).not.toContain("lead");
    expect(told.includes("cranes")).not.toBe(told.includes("ships"));
  }
  const last = seen.at(-1);
  expect(last?.told).toContain("Paragraph C.");
  expect(last?.told).toContain("Paragraph S.");
});

test("one that fails, one that is not allowed and a call without a prompt are told to the agent, which goes on", async () => {
  const told: string[] = [];
  const opened = await open((asked) => {
    if (asked.who.includes("writer")) return { text: "not JSON" };
    if (asked.turn === 0)
      return {
        toolCalls: [call("writer", "Write."), call("stranger", "Help."), { name: "agent_writer", input: {} }],
      };
    told.push(asked.told);
    return { text: "I did it myself." };
  });
  const writer = agent("writer", { output_schema: { type: "object" } });
  const { ref, task } = await opened.runPlan(planOf(agent("lead", { agents: ["writer"] }), [writer]));
  expect(task.state).toBe("completed");
  expect(told[0]).toContain("The agent writer failed");
  expect(told[0]).toContain("unknown-tool");
  expect(told[0]).toContain("tool-input-invalid");
  expect((await childrenOf(opened, ref)).map(({ state }) => state)).toEqual(["failed"]);
});

test("agents that call themselves end at a depth of 5", async () => {
  const told: string[] = [];
  const opened = await open((asked) => {
    if (asked.turn === 0) return { toolCalls: [call("lead", "Deeper.")] };
    told.push(asked.told);
    return { text: "Enough." };
  });
  const { ref, task } = await opened.runPlan(planOf(agent("lead", { agents: ["lead"] }), []));
  expect(task.state).toBe("completed");
  const all = await opened.store.listTasks({ tenantId: defaultTenantId, limit: 100 });
  expect(all).toHaveLength(6);
  expect(all.filter(({ rootTaskId }) => rootTaskId === ref.taskId)).toHaveLength(5);
  expect(told[0]).toContain("5 deep");
});

test("a whole tree is cancelled with its root", async () => {
  const opened = await open(({ who, turn }) => {
    if (who.includes("writer")) return { text: "Late.", delayMs: 30_000 };
    return turn === 0 ? { toolCalls: [call(who.includes("lead") ? "middle" : "writer", "Go on.")] } : { text: "?" };
  });
  const plan = planOf(agent("lead", { agents: ["middle"] }), [
    agent("middle", { agents: ["writer"] }),
    agent("writer"),
  ]);
  const ref = await opened.create(plan as never);
  const list = () => opened.store.listTasks({ tenantId: defaultTenantId, limit: 100 });
  const isDeep = async () => {
    const tasks = await list();
    return tasks.length === 3 && tasks.some(({ goal, runningSteps }) => goal === "Go on." && runningSteps > 0);
  };
  const running = opened.run(ref);
  await expect.poll(isDeep, { timeout: 20_000 }).toBe(true);
  const why = await opened.store.whyTask(ref);
  expect(why).toMatchObject([{ on: "child", detail: expect.stringContaining("agent middle (task ") }]);
  await opened.store.cancelTask(ref, {});
  await opened.store.idle();
  expect((await list()).map(({ state }) => state)).toEqual(["cancelled", "cancelled", "cancelled"]);
  await running;
  for (const task of await list()) await expectReduced(opened, refOf(task));
});

test("a tree rests while its root is paused, and goes on with it", async () => {
  let isPaused = false;
  const opened = await open(({ who, turn }) => {
    if (who.includes("writer")) return { text: "A paragraph.", delayMs: isPaused ? 0 : 60_000 };
    return turn === 0 ? { toolCalls: [call("writer", "Write.")] } : { text: "Done." };
  });
  const ref = await opened.create(planOf(agent("lead", { agents: ["writer"] }), [agent("writer")]) as never);
  const hasChild = async () => (await childrenOf(opened, ref)).some(({ runningSteps }) => runningSteps > 0);
  const running = opened.run(ref);
  await expect.poll(hasChild, { timeout: 20_000 }).toBe(true);
  await opened.store.pauseTask(ref);
  isPaused = true;
  await opened.store.idle();
  await running;
  expect((await childrenOf(opened, ref)).map(({ state }) => state)).toEqual(["paused"]);
  await opened.store.resumeTask(ref);
  await opened.store.idle();
  expect((await opened.run(ref)).state).toBe("completed");
});

test("all agents of a tree spend from one budget, and what does not fit is told", async () => {
  const opened = await open(({ who, turn }) => {
    if (who.includes("writer")) return { text: "A paragraph.", usage: { inputTokens: 50, outputTokens: 10 } };
    return turn === 0
      ? { toolCalls: Array.from({ length: 5 }, (_, no) => call("writer", `Write ${no}.`)) }
      : { text: "Done." };
  });
  const plan = planOf(agent("lead", { agents: ["writer"] }), [agent("writer")]);
  const { ref, task } = await opened.runPlan(plan, { budget: { modelCalls: 4 } });
  expect(task).toMatchObject({ state: "failed", lastError: { code: "budget-exceeded" } });
  expect(opened.requests()).toHaveLength(4);
  const budget = await opened.store.readTaskBudget(ref);
  expect(budget).toMatchObject({ settled: { modelCalls: 4 }, reserved: { modelCalls: 0 } });
  const children = await childrenOf(opened, ref);
  expect(children.map(({ state }) => state).toSorted()).toEqual([
    "completed",
    "completed",
    "completed",
    "failed",
    "failed",
  ]);
});

test("an end that its parent was not told of is told later", async () => {
  // As by a worker of the version before, or one that dies at once.
  const untold = (store: Store): Partial<Store> => ({
    settleAttempt: ({ task: _task, ...settlement }) => store.settleAttempt(settlement),
  });
  const opened = await open(
    ({ who, turn }) =>
      who.includes("lead") && turn === 0 ? { toolCalls: [call("writer", "Write.")] } : { text: "Done." },
    untold,
  );
  const ref = await opened.create(planOf(agent("lead", { agents: ["writer"] }), [agent("writer")]) as never);
  const isWritten = async () => (await childrenOf(opened, ref))[0]?.state === "completed";
  const running = opened.run(ref);
  await expect.poll(isWritten, { timeout: 20_000 }).toBe(true);
  expect((await opened.store.getTask(ref))?.state).toBe("waiting");
  expect(await opened.store.relateTasks()).toEqual({ told: 1, followed: 0 });
  expect(await opened.store.relateTasks()).toEqual({ told: 0, followed: 0 });
  expect((await running).state).toBe("completed");
});
