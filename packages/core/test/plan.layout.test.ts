import { expect, test } from "vitest";
import { defaultTimeoutMs, layOutItems, layOutPlan } from "../src/plan/layout.ts";
import { planSpec } from "../src/plan/index.ts";

const counter = () => {
  let last = 0;
  return () => `id-${++last}`;
};
const options = { retry: { max_attempts: 4 }, pool: "default", rankOf: (id: string) => id.length };
const cel = (source: string) => ({ $cel: source });

test("a plan becomes steps with ids for names and every default settled", () => {
  const plan = planSpec.parse({
    steps: [
      {
        id: "scan",
        type: "tool",
        tool: "list",
        pool: "io",
        timeout_ms: 7,
        retry: { base_ms: 1 },
        on_exhausted: "hold",
      },
      {
        id: "sum",
        type: "llm",
        prompt: cel("steps.scan.output + steps.old.output"),
        depends_on: [
          "old",
          { step: "scan", when: cel("steps.scan.output.n > size(steps.old.output)") },
          { step: "old2" },
        ],
        join: { n: 2 },
        description: "Sum up",
      },
      { id: "each", type: "map", over: [1], step: { type: "llm", prompt: "x" }, depends_on: ["sum"], join: "any" },
      { id: "save", type: "checkpoint" },
      { id: "end", type: "summarization", join: "all" },
      { id: "say", type: "llm", prompt: "p".repeat(300) },
    ],
  });
  const existing = new Map([
    ["old", "id-old"],
    ["old2", "id-old2"],
  ]);
  const steps = layOutPlan(plan, { ...options, newId: counter(), existing });
  expect(steps[0]).toEqual({
    stepId: "id-1",
    key: "scan",
    kind: "user",
    type: "tool",
    description: "Call list",
    config: { type: "tool", tool: "list" },
    join: "all",
    dependsOn: [],
    references: ["old"],
    rank: 4,
    pool: "io",
    timeoutMs: 7,
    retry: { max_attempts: 4, base_ms: 1 },
    onExhausted: "hold",
  });
  expect(steps[1]).toMatchObject({
    description: "Sum up",
    dependsOn: [
      { fromStepId: "id-old" },
      { fromStepId: "id-1", when: cel("steps.scan.output.n > size(steps.old.output)") },
      { fromStepId: "id-old2" },
    ],
    references: ["old", "scan"],
    join: 2,
    pool: "default",
    timeoutMs: defaultTimeoutMs["llm"],
    onExhausted: "fail",
  });
  expect(steps.map(({ join }) => join)).toEqual(["all", 2, 1, "all", "all", "all"]);
  expect(steps.slice(2).map(({ description }) => description)).toEqual([
    "Run one step per item",
    "Save a checkpoint",
    "Summarise the context",
    "p".repeat(200),
  ]);
});

test("a map's values become numbered steps that inherit from the map", () => {
  const map = { stepId: "m-id", key: "each", rank: 5, pool: "default", retry: { max_attempts: 4 } };
  const spec = { type: "llm" as const, prompt: cel("item + steps.scan.output"), retry: { base_ms: 2 } };
  const items = layOutItems(map, spec, ["a", "b"], counter());
  expect(items.map(({ key, item }) => [key, item])).toEqual([
    ["each[0]", { parentStepId: "m-id", index: 0, value: "a" }],
    ["each[1]", { parentStepId: "m-id", index: 1, value: "b" }],
  ]);
  expect(items[0]).toMatchObject({
    references: ["scan"],
    retry: { max_attempts: 4, base_ms: 2 },
    rank: 5,
    description: "Reason over earlier outputs",
  });
});
