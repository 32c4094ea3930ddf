/** What a model gets wrong about plans: it is told what, twice at most; then the task fails, and says why. */
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { promptOf, type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { onEachBackend, type Stack, startStack, until } from "./stack.ts";

const good = { steps: [{ id: "now", type: "tool", tool: "clock.now" }] };
const cycle = {
  steps: [
    { id: "hen", type: "tool", tool: "clock.now", depends_on: ["egg"] },
    { id: "egg", type: "tool", tool: "clock.now", depends_on: ["hen"] },
  ],
};
const long = {
  steps: Array.from({ length: 6 }, (_, index) => ({ id: `s${index}`, type: "tool", tool: "clock.now" })),
};

onEachBackend("plans that will not do", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  beforeAll(async () => {
    model = await startScriptedModel();
    stack = await startStack({ backend, workers: 1, env: { ...model.env, BATON_MAX_STEPS: "5" } });
  });
  afterAll(async () => {
    await stack?.stop();
    await model?.close();
  });

  const refOf = (taskId: string) => ({ tenantId: defaultTenantId, taskId });
  const rests = async (taskId: string) => {
    await until(`task ${taskId} rests`, async () =>
      ["completed", "failed"].includes((await stack.client.getTask(taskId)).state),
    );
    await expectRowsToEqualTraces(stack.store, refOf(taskId));
    return stack.client.getTask(taskId);
  };
  const tracesOf = async (taskId: string, type: string) =>
    (await stack.store.listTaskTraces(refOf(taskId), { limit: 1_000 })).filter((trace) => trace.type === type);
  const post = (goal: string) => stack.call("/api/chat/orchestrate", { json: { goal } });

  it.each([
    [
      "names a tool that does not exist",
      { object: { steps: [{ id: "a", type: "tool", tool: "no.such" }] } },
      "no.such",
    ],
    ["runs in a circle", { object: cycle }, "hen"],
    ["has more steps than allowed", { object: long }, "5"],
    ["is cut off in the middle", { text: '{"steps": [{"id": "a", "ty' }, "JSON"],
    ["has no steps", { object: { steps: [] } }, "steps"],
    [
      "names a file that nobody named",
      { object: { steps: [{ id: "a", type: "tool", tool: "files.read", arguments: '{"path": "secret/plan.md"}' }] } },
      "secret/plan.md",
    ],
  ])("a plan that %s is sent back with what is wrong, and the next one is taken", async (_what, bad, named) => {
    const word = model.script({ plan: [bad, { object: good }] });
    const answer = await post(`Arrange ${word}`);
    expect(answer.status).toBe(202);
    const { taskId, strategy } = (await answer.json()) as { taskId: string; strategy: { steps: { id: string }[] } };
    expect(strategy.steps.map(({ id }) => id)).toEqual(["now"]);
    expect((await rests(taskId)).state).toBe("completed");

    const [first, repair, ...more] = model.requests(word, "plan").map(promptOf);
    expect(more).toEqual([]);
    const told = (repair ?? "").slice((repair ?? "").lastIndexOf("That answer cannot be used"));
    expect(told).toContain(named);
    expect(first).not.toContain("That answer cannot be used");
    const rejected = await tracesOf(taskId, "plan-rejected");
    expect(rejected).toHaveLength(1);
    expect(JSON.stringify(rejected[0]?.data)).toContain(named);
    expect(await tracesOf(taskId, "plan-decomposed")).toMatchObject([{ data: { repairs: 1, stepCount: 1 } }]);
  });

  it("a model that never gives a plan ends in planning-failed, after two repairs, without any step", async () => {
    const word = model.script({ plan: { text: "I would rather not." } });
    const answer = await post(`Arrange ${word}`);
    expect(answer.status).toBe(422);
    expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    const problem = (await answer.json()) as { code: string; detail: string; taskId: string };
    expect(problem).toMatchObject({ code: "planning-failed", taskId: expect.any(String) });
    expect(problem.detail).toContain("after 2 repairs");

    const task = await rests(problem.taskId);
    expect(task).toMatchObject({ state: "failed", totalSteps: 0, progress: 0, lastError: { code: "planning-failed" } });
    expect(model.requests(word, "plan")).toHaveLength(3);
    expect(await tracesOf(problem.taskId, "plan-rejected")).toHaveLength(3);
    expect(await tracesOf(problem.taskId, "plan-decomposed")).toEqual([]);
    const status = await stack.client.request("chatOrchestration", { query: { taskId: problem.taskId } });
    expect(status).toMatchObject({ status: "failed", totalSteps: 0, steps: [] });
    expect(status.lastError).toMatch(/^planning-failed: /);
  });

  it("a task without a plan is planned again when a person retries it", async () => {
    const bad = { text: "Not now." };
    const word = model.script({ plan: [bad, bad, bad, { object: good }] });
    const { taskId } = (await (await post(`Arrange ${word}`)).json()) as { taskId: string };
    expect((await rests(taskId)).state).toBe("failed");
    await stack.client.request("retryTask", { params: { id: taskId } });
    await until("it completes", async () => (await stack.client.getTask(taskId)).state === "completed");
    expect(await rests(taskId)).toMatchObject({ totalSteps: 1, progress: 100 });
  });

  it("a revision that will not do is sent back too, and the next one is performed", async () => {
    const revise = (steps: readonly object[]) => ({ object: { verdict: "revise", reason: "More is needed.", steps } });
    const word = model.script({
      plan: { object: good },
      evaluate: [
        revise([{ id: "more", type: "tool", tool: "no.such", depends_on: ["now"] }]),
        revise([{ id: "more", type: "tool", tool: "clock.now", depends_on: ["now"] }]),
        { object: { verdict: "done", reason: "Reached.", steps: [] } },
      ],
    });
    const { taskId } = (await (await post(`Arrange ${word}`)).json()) as { taskId: string };
    expect(await rests(taskId)).toMatchObject({ state: "completed", totalSteps: 2, revisionCount: 1 });
    const prompts = model.requests(word, "evaluate").map(promptOf);
    expect(prompts).toHaveLength(3);
    expect(prompts[1]).toContain("no.such");
  });

  it("a goal that is given up fails with the reason and never completes", async () => {
    const word = model.script({
      plan: { object: good },
      evaluate: { object: { verdict: "give-up", reason: "The clock has stopped.", steps: [] } },
    });
    const { taskId } = (await (await post(`Arrange ${word}`)).json()) as { taskId: string };
    const task = await rests(taskId);
    expect(task).toMatchObject({ state: "failed", lastError: { code: "gave-up" } });
    expect(task.lastError?.message).toContain("The clock has stopped.");
  });

  it.each([
    ["a circle", { steps: cycle.steps }, "invalid-plan", /hen/],
    ["an unknown tool", { steps: [{ id: "a", type: "tool", tool: "no.such" }] }, "unknown-tool", /no\.such/],
    [
      "a dependency that does not exist",
      { steps: [{ id: "a", type: "tool", tool: "clock.now", depends_on: ["b"] }] },
      "invalid-plan",
      /depends on .{1,2}b/,
    ],
    ["no step", { steps: [] }, "invalid-request", /step/],
  ])("a client's own plan with %s is refused, and nothing is written", async (_what, plan, code, named) => {
    const before = await stack.database.rowCounts();
    const answer = await stack.call("/api/v1/tasks", { json: { plan } });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    const problem = (await answer.json()) as { code: string };
    expect(problem.code).toBe(code);
    expect(JSON.stringify(problem)).toMatch(named);
    const { task_execution, task_execution_step } = await stack.database.rowCounts();
    expect({ task_execution, task_execution_step }).toEqual({
      task_execution: before["task_execution"],
      task_execution_step: before["task_execution_step"],
    });
  });
});
