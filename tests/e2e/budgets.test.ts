/** Budgets over HTTP and over either queue: twenty parallel steps of two workers, never above one cap. */
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { onEachBackend, type Stack, startStack, until } from "./stack.ts";

const charged = { inputTokens: 60, outputTokens: 150 };
const chargedTokens = charged.inputTokens + charged.outputTokens;

onEachBackend("a budget", (backend) => {
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

  const planOf = (count: number, onExhausted: "fail" | "hold") => ({
    steps: Array.from({ length: count }, (_one, no) => ({
      id: `think${no}`,
      type: "llm" as const,
      prompt: "Think.",
      max_output_tokens: charged.outputTokens,
      on_exhausted: onExhausted,
    })),
  });

  it("of one task holds at every moment, holds the steps that do not fit, and lets them go on when it is raised", async () => {
    const word = model.script({ reason: { text: "A thought.", usage: charged, delayMs: 50 } });
    const tokens = 2_500;
    const { id } = await stack.client.createTask({
      goal: `Think for ${word}`,
      plan: planOf(20, "fail"),
      settings: { budget: { tokens, onBreach: "ask" } },
    });
    const sums: number[] = [];
    await until("the budget holds the rest", async () => {
      const { settled, reserved } = await stack.client.getTaskBudget(id);
      sums.push(settled.tokens + reserved.tokens);
      return (await stack.client.getTask(id)).state === "blocked";
    });
    expect(Math.max(...sums)).toBeGreaterThan(0);
    expect(Math.max(...sums)).toBeLessThanOrEqual(tokens);
    expect(model.requests(word).length * chargedTokens).toBeLessThanOrEqual(tokens);
    expect(await stack.client.getTaskBudget(id)).toMatchObject({ reserved: { tokens: 0 }, overrun: { tokens: 0 } });
    const { waits } = await stack.client.request("whyTask", { params: { id } });
    expect(new Set(waits.map(({ on }) => on))).toEqual(new Set(["budget"]));
    expect(waits[0]?.movedBy).toContain(`PATCH /api/v1/tasks/${id}/budget`);

    await stack.client.changeTaskBudget(id, { tokens: 20_000, reason: "worth it" });
    await until("the task completes", async () => (await stack.client.getTask(id)).state === "completed");
    expect(model.requests(word)).toHaveLength(20);
    expect(await stack.client.getTaskBudget(id)).toMatchObject({
      settled: { tokens: 20 * chargedTokens, modelCalls: 20 },
    });
    await expectRowsToEqualTraces(stack.store, { tenantId: defaultTenantId, taskId: id });
    const usage = await stack.client.usage({ group_by: "task" });
    expect(usage.rows.find(({ taskId }) => taskId === id)).toMatchObject({
      calls: 20,
      outputTokens: 3_000,
      lostCalls: 0,
    });
  });

  it("that stops its task leaves what was made, and names what is missing", async () => {
    const word = model.script({ reason: { text: "A thought.", usage: charged } });
    const [first, second] = planOf(2, "fail").steps;
    if (first === undefined || second === undefined) throw new Error("There are two.");
    const { id } = await stack.client.createTask({
      goal: `Think for ${word}`,
      plan: { steps: [first, { ...second, depends_on: [first.id] }] },
      settings: { budget: { modelCalls: 1 } },
    });
    await until("the task fails", async () => (await stack.client.getTask(id)).state === "failed");
    expect(await stack.client.getTask(id)).toMatchObject({
      lastError: { code: "budget-exceeded" },
      partial: {
        outputs: [{ key: "think0", output: "A thought." }],
        missing: [
          { key: "think1", state: "failed", why: expect.stringContaining("1 model calls (budget.modelCalls)") },
        ],
        missingSteps: 1,
      },
    });
    expect(model.requests(word)).toHaveLength(1);
  });
});
