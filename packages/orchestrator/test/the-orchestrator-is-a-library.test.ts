import type { ModelPort } from "@baton/core/ports";
import { expect, it } from "vitest";
import { TaskOrchestrator } from "../src/index.ts";
import { builtinTools, goodPlan, scripted, sonnet } from "./models.fixture.ts";

it("its limits reach every decision and the settings of its tasks", async () => {
  const { models } = await scripted({ fallback: { object: goodPlan } });
  const told: string[] = [];
  const orchestrator = new TaskOrchestrator({
    chatModel: { models, model: { provider: "anthropic", model: "claude-3-5-sonnet-20241022" } },
    maxSteps: 1,
    contextWindowLimit: 8_000,
    checkpointInterval: 3,
    trace: ({ type }) => told.push(type),
  });
  expect(orchestrator.settings).toMatchObject({ maxSteps: 1, contextWindowLimit: 8_000, checkpointInterval: 3 });
  expect(orchestrator.settings.model).toEqual(models.resolve(orchestrator.settings.model));
  await expect(orchestrator.decomposeGoal("Report", builtinTools)).rejects.toMatchObject({ code: "planning-failed" });
  expect(told.filter((type) => type === "plan-rejected")).toHaveLength(3);
});

it("offers the four decisions", async () => {
  const { models } = await scripted({
    replies: [{ object: goodPlan }, { object: { verdict: "done", reason: "Yes.", steps: [] } }, { text: "Short." }],
  });
  const orchestrator = new TaskOrchestrator({ chatModel: { models, model: sonnet } });
  expect((await orchestrator.shouldOrchestrate("hello")).orchestrate).toBe(false);
  expect((await orchestrator.decomposeGoal("Report", builtinTools)).plan.steps).toHaveLength(2);
  const steps = [{ id: "a", description: "A", state: "completed", preview: "x" }];
  const task = { goal: "Report", steps, tools: builtinTools, revisionCount: 0 };
  expect((await orchestrator.evaluateProgress(task)).verdict).toBe("done");
  const messages = [{ role: "user" as const, content: "A long story." }];
  expect((await orchestrator.summarizeContext(messages, { goal: "Report" })).text).toBe("Short.");
});

it("an unknown model and a limit out of range are refused at once", async () => {
  const { models } = await scripted({});
  const unknown = { models, model: { provider: "nobody", model: "none" } };
  expect(() => new TaskOrchestrator({ chatModel: unknown })).toThrow(/nobody/);
  expect(() => new TaskOrchestrator({ chatModel: { models }, maxSteps: 0 })).toThrow(/maxSteps/);
});

it("takes a model port that leaves parsing and refusals to its caller", async () => {
  const { models } = await scripted({});
  const texts = ["I think:", JSON.stringify(goodPlan)];
  const plain: ModelPort = {
    ...models,
    async generate({ model }) {
      const usage = { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, estimated: true };
      const text = texts.shift();
      const finishReason = text === undefined ? "refusal" : "stop";
      return { text: text ?? "No.", finishReason, usage, costUsd: null, model, offline: false, durationMs: 1 };
    },
  };
  const orchestrator = new TaskOrchestrator({ chatModel: { models: plain } });
  expect((await orchestrator.decomposeGoal("Report", builtinTools)).repairs).toBe(1);
  await expect(orchestrator.decomposeGoal("Report", builtinTools)).rejects.toMatchObject({ code: "model-refused" });
});
