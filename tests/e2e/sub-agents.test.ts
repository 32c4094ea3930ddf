/** Agents that call agents, over HTTP and over either queue: one budget for all of them, whatever dies meanwhile. */
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { promptOf, type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { onEachBackend, type Stack, startStack, until } from "./stack.ts";

const charged = { inputTokens: 400, outputTokens: 100 };
const chargedTokens = charged.inputTokens + charged.outputTokens;
const children = 20;

onEachBackend("sub-agents", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  beforeAll(async () => {
    model = await startScriptedModel();
    stack = await startStack({ backend, workers: 2, env: model.env });
  });
  afterAll(async () => {
    await stack?.stop();
    await model?.close();
  });

  const agent = (name: string, more: object = {}) => ({
    ...{ name, description: `Is ${name}.`, instructions: `You are ${name}.` },
    ...more,
  });
  const ofWriters = (word: string) =>
    model.requests(word).filter((request) => promptOf(request).includes("You are writer."));

  /** A lead that gives 20 pieces of work away at once. */
  const lead = (word: string) => ({
    goal: `Lead ${word}`,
    plan: {
      steps: [
        {
          ...{ id: "lead", type: "agent" as const, prompt: `Have ${word} written.` },
          agent: agent("lead", { agents: ["writer"] }),
          agents: [agent("writer")],
        },
      ],
    },
  });
  const answer = (word: string, delayMs: number) =>
    model.script(
      {
        reason: (_no, request) => {
          const prompt = promptOf(request);
          if (prompt.includes("You are writer.")) return { text: "A paragraph.", usage: charged, delayMs };
          const isFirst = !(request.body["messages"] as { role: string }[]).some(({ role }) => role === "assistant");
          const calls = Array.from({ length: children }, (_one, no) => ({
            name: "agent_writer",
            input: { prompt: `Write part ${no} of ${word}.` },
          }));
          return isFirst ? { toolCalls: calls, usage: charged } : { text: "All is written.", usage: charged };
        },
      },
      word,
    );

  it("share one budget at every moment, though a worker is killed among them, and go on when it is raised", async () => {
    const word = `tree-${backend}`;
    answer(word, 300);
    const tokens = Math.floor(children * 0.6) * chargedTokens;
    const { id } = await stack.client.createTask({ ...lead(word), settings: { budget: { tokens, onBreach: "ask" } } });
    const sums: number[] = [];
    const look = async () => {
      const { settled, reserved } = await stack.client.getTaskBudget(id);
      sums.push(settled.tokens + reserved.tokens);
      return await stack.store.listTasks({ tenantId: defaultTenantId, limit: 100 });
    };
    const isOfTree = ({ rootTaskId }: { readonly rootTaskId?: string | undefined }) => rootTaskId === id;
    await until("writers ask their model", async () => {
      await look();
      return ofWriters(word).length > 2;
    });
    const [victim] = stack.workers.splice(0, 1);
    victim?.kill("SIGKILL");
    await victim?.exited;
    await stack.startWorker();
    await until("the budget holds the rest", async () => {
      const states = (await look()).filter(isOfTree).map(({ state }) => state);
      return states.length === children && states.every((state) => state === "completed" || state === "blocked");
    });
    expect(Math.max(...sums)).toBeGreaterThan(0);
    expect(Math.max(...sums)).toBeLessThanOrEqual(tokens);
    expect(model.requests(word).length * chargedTokens).toBeLessThanOrEqual(tokens);
    const held = (await look()).filter((task) => isOfTree(task) && task.state === "blocked");
    expect(held.length).toBeGreaterThan(0);
    expect(await stack.client.getTaskBudget(held[0]?.taskId ?? "")).toMatchObject({ taskId: id, caps: { tokens } });
    await expect(stack.client.changeTaskBudget(held[0]?.taskId ?? "", { tokens: 9 })).rejects.toMatchObject({
      code: "illegal-transition",
      message: expect.stringContaining(id),
    });
    const { waits } = await stack.client.request("whyTask", { params: { id } });
    expect(waits).toMatchObject([{ on: "child", stepKey: "lead" }]);

    await stack.client.changeTaskBudget(id, { tokens: 1_000_000 });
    await until("the task completes", async () => (await stack.client.getTask(id)).state === "completed");
    expect(await stack.client.getTask(id)).toMatchObject({ result: "All is written." });
    const tasks = (await look()).filter(isOfTree);
    expect(tasks.map(({ state, parentTaskId }) => [state, parentTaskId])).toEqual(
      Array.from({ length: children }, () => ["completed", id]),
    );
    for (const { taskId } of [...tasks, { taskId: id }])
      await expectRowsToEqualTraces(stack.store, { tenantId: defaultTenantId, taskId });
    const { rows } = await stack.client.usage({ group_by: "tree" });
    const spent = rows.find(({ taskId }) => taskId === id);
    // Whatever was lost with the worker is charged as well.
    expect(spent?.calls).toBe(children + 2 + (spent?.lostCalls ?? 0));
  });

  it("are cancelled with who called them, in the middle of their calls", async () => {
    const word = `cancelled-${backend}`;
    answer(word, 60_000);
    const { id } = await stack.client.createTask(lead(word));
    await until("writers ask their model", async () => ofWriters(word).length > 2);
    await stack.client.cancelTask(id);
    await until("all are cancelled, and nothing runs any more", async () => {
      const tasks = await stack.store.listTasks({ tenantId: defaultTenantId, limit: 100 });
      const own = tasks.filter(({ rootTaskId }) => rootTaskId === id);
      return own.length === children && own.every(({ state }) => state === "cancelled");
    });
    await until("their calls are cut", async () => ofWriters(word).every(({ outcome }) => outcome === "aborted"));
  });
});
