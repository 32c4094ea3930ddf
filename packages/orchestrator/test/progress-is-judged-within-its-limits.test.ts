import { validatePlan } from "@baton/core/graph";
import { describe, expect, it } from "vitest";
import { evaluateProgress, type TaskProgress } from "../src/index.ts";
import { builtinTools, promptOf, scripted } from "./models.fixture.ts";

const goal = "Say what the notes decide";
const progress: TaskProgress = {
  goal,
  steps: [
    { id: "find", description: "Find the notes", state: "completed", preview: '{"files": []}' },
    { id: "report", description: "Report", state: "completed", preview: "Nothing was found." },
  ],
  tools: builtinTools,
  revisionCount: 0,
};
const more = { id: "wider", type: "llm", prompt: { $cel: "steps.report.output" }, depends_on: ["find", "report"] };
const revise = { verdict: "revise", reason: "The folder was too narrow.", steps: [more] };
const done = { verdict: "done", reason: "It says so.", steps: [] };

describe("a verdict", () => {
  it("done comes with its reason and its trace row", async () => {
    const { models, server } = await scripted({ fallback: { object: done } });
    const evaluation = await evaluateProgress(progress, { models });
    expect(evaluation).toMatchObject({ verdict: "done", reason: "It says so.", offline: false, repairs: 0 });
    expect(evaluation.traces.at(-1)).toEqual({
      type: "progress-evaluated",
      data: { verdict: "done", reason: "It says so.", offline: false },
    });
    for (const part of [goal, "Nothing was found.", "files.list"]) expect(promptOf(server.requests[0])).toContain(part);
  });

  it("revise gives steps that pass the checks of a plan and build on those that exist", async () => {
    const { models } = await scripted({ fallback: { object: revise } });
    const evaluation = await evaluateProgress(progress, { models });
    if (evaluation.verdict !== "revise") throw new Error("expected a revision");
    const existingSteps = new Set(["find", "report"]);
    expect(validatePlan({ steps: evaluation.steps }, { maxSteps: 50, existingSteps })).toEqual([]);
    expect(evaluation.steps.map(({ id }) => id)).toEqual(["wider"]);
  });

  it.each([
    ["an id that exists", { ...revise, steps: [{ ...more, id: "find", depends_on: [] }] }, /already has a step "find"/],
    ["an unknown dependency", { ...revise, steps: [{ ...more, depends_on: ["nobody"] }] }, /nobody/],
    ["no steps", { ...revise, steps: [] }, /at least one step/],
    ["steps that are none", { ...revise, steps: ["read more"] }, /steps\.0/],
    ["steps although it is done", { ...revise, verdict: "done" }, /must be empty/],
    ["another verdict", { verdict: "maybe", reason: "r" }, /verdict/],
    ["no reason", { verdict: "done", reason: "" }, /reason/],
  ])("with %s goes back with its problems", async (_what, bad, problem) => {
    const { models, server } = await scripted({ replies: [{ object: bad }, { object: done }] });
    const evaluation = await evaluateProgress(progress, { models });
    expect(evaluation).toMatchObject({ verdict: "done", repairs: 1 });
    expect(promptOf(server.requests[1])).toMatch(problem);
    expect(evaluation.traces.map(({ type }) => type)).toContain("plan-rejected");
  });

  it("that stays bad is planning-failed after two repairs", async () => {
    const { models, server } = await scripted({ fallback: { text: "done, I think" } });
    await expect(evaluateProgress(progress, { models })).rejects.toMatchObject({ code: "planning-failed" });
    expect(server.requests).toHaveLength(3);
  });
});

describe("revisions end", () => {
  it.each([
    ["after maxPlanRevisions of them", { revisionCount: 2 }, { maxPlanRevisions: 2 }],
    ["when maxSteps leaves no room", {}, { maxSteps: 2 }],
  ])("%s: revise is no choice any more", async (_when, state, limits) => {
    const giveUp = { verdict: "give-up", reason: "There are no notes." };
    const { models, server } = await scripted({ replies: [{ object: revise }, { object: giveUp }] });
    const evaluation = await evaluateProgress({ ...progress, ...state }, { models, ...limits });
    expect(evaluation).toMatchObject({ ...giveUp, repairs: 1 });
    const [first, second] = server.requests;
    expect(promptOf(first)).not.toContain("revise:");
    expect(JSON.stringify(first?.body["output_config"])).not.toContain("revise");
    expect(promptOf(second)).toContain("may not be revised any more");
  });
});

it("a task of many long outputs is shown as far as the limit allows, every step by its id", async () => {
  const { models, server } = await scripted({ fallback: { object: done } });
  const steps = Array.from({ length: 40 }, (_, no) => ({
    id: `step${no}`,
    description: "Reads",
    state: "completed",
    preview: "word ".repeat(2_000),
  }));
  await evaluateProgress({ ...progress, steps }, { models, contextWindowLimit: 4_000 });
  const prompt = promptOf(server.requests.at(-1));
  expect(prompt.length / 4).toBeLessThanOrEqual(4_000);
  for (const { id } of steps) expect(prompt).toContain(id);
  await expect(evaluateProgress({ ...progress, steps }, { models, contextWindowLimit: 700 })).rejects.toMatchObject({
    code: "context-too-large",
  });
});
