import { readFileSync } from "node:fs";
import { validatePlan } from "@baton/core/graph";
import { describe, expect, it } from "vitest";
import { decomposeGoal, evaluateProgress, shouldOrchestrate } from "../src/index.ts";
import { builtinTools, offline } from "./models.fixture.ts";

const readme = readFileSync(new URL("../../llm/src/offline/README.md", import.meta.url), "utf8");
const given = "The service keeps every result in PostgreSQL. ".repeat(4);
const families = [...readme.matchAll(/^\| `([\w-]+)` \| .+? \| (.+?) \|$/gm)].map(
  ([, id = "", example = ""]) => [id, example.replace("…", given)] as const,
);

describe("the documented families", () => {
  it("are at least twelve", () => expect(families.length).toBeGreaterThanOrEqual(12));

  it.each(families)("%s: its example becomes a valid plan at the first try, labelled offline", async (_id, goal) => {
    const decomposed = await decomposeGoal(goal, builtinTools, { models: offline });
    expect(decomposed).toMatchObject({ offline: true, repairs: 0, model: { provider: "offline" } });
    const knownTools = new Set(builtinTools.map(({ name }) => name));
    expect(validatePlan(decomposed.plan, { maxSteps: 50, knownTools })).toEqual([]);
    expect(decomposed.estimatedDurationMs).toBeGreaterThan(0);
    expect(decomposed.traces.at(-1)).toMatchObject({ type: "plan-decomposed", data: { offline: true, repairs: 0 } });
  });
});

it("a goal of no family fails with what is possible, and is not asked for again", async () => {
  const told: string[] = [];
  await expect(
    decomposeGoal("Write me a sonnet", builtinTools, { models: offline, trace: ({ type }) => told.push(type) }),
  ).rejects.toMatchObject({ code: "offline-cannot-plan" });
  expect(told).toEqual([]);
});

it("its decisions and evaluations are taken as they are, labelled offline", async () => {
  const decision = await shouldOrchestrate("Please look at the notes somebody left, and tell me about them", {
    models: offline,
  });
  expect(decision).toMatchObject({ offline: true, orchestrate: true });
  expect(decision.rule).toBeUndefined();
  const step = { id: "a", description: "A", state: "completed", preview: "text" };
  const task = { goal: "g", tools: builtinTools, revisionCount: 0 };
  const done = await evaluateProgress({ ...task, steps: [step] }, { models: offline });
  expect(done).toMatchObject({ verdict: "done", offline: true });
  const stuck = await evaluateProgress({ ...task, steps: [{ ...step, state: "cancelled" }] }, { models: offline });
  expect(stuck).toMatchObject({ verdict: "give-up", offline: true });
});
