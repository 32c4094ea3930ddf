import { describe, expect, test } from "vitest";
import { planSpec } from "../src/plan/index.ts";

const issuesOf = (value: unknown): readonly { path: readonly PropertyKey[]; message: string }[] =>
  planSpec.safeParse(value).error?.issues ?? [];

describe("the shape of a plan", () => {
  test("accepts every type of step", () => {
    const steps = [
      { id: "a", type: "llm", prompt: "p", model: { provider: "offline", model: "m" }, retry: { max_attempts: 2 } },
      { id: "b", type: "tool", tool: "t", arguments: { x: [{ $cel: "steps.a.output" }] }, depends_on: ["a"] },
      { id: "c", type: "map", over: [1], step: { type: "llm", prompt: { $cel: "item" } }, concurrency: 2 },
      { id: "d", type: "checkpoint", depends_on: [{ step: "a", when: { $cel: "true" } }, "b"], join: "any" },
      { id: "e", type: "summarization", max_tokens: 100, on_exhausted: "hold", timeout_ms: 5, join: { n: 1 } },
    ];
    expect(planSpec.parse({ steps, result: { $cel: "steps.e.output" } }).steps).toHaveLength(5);
  });

  test.each<[string, unknown, PropertyKey[]]>([
    ["an unknown field of the plan", { steps: [{ id: "a", type: "checkpoint" }], extra: 1 }, []],
    ["an unknown field of a step", { steps: [{ id: "a", type: "checkpoint", promt: "x" }] }, ["steps", 0]],
    ["an unknown type", { steps: [{ id: "a", type: "magic" }] }, ["steps", 0, "type"]],
    ["no steps", { steps: [] }, ["steps"]],
    ["an id with a space", { steps: [{ id: "a b", type: "checkpoint" }] }, ["steps", 0, "id"]],
    ["a join of none", { steps: [{ id: "a", type: "checkpoint", join: { n: 0 } }] }, ["steps", 0, "join", "n"]],
    [
      "a map in a map",
      { steps: [{ id: "a", type: "map", over: [], step: { type: "map" } }] },
      ["steps", 0, "step", "type"],
    ],
  ])("refuses %s and names the place", (_, value, path) => {
    expect(issuesOf(value).map((issue) => issue.path)).toContainEqual(path);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["a prompt", { type: "llm", prompt: 5 }, /^a text, or/],
    ["a missing prompt", { type: "llm" }, /^a text, or/],
    ["a dependency", { type: "checkpoint", depends_on: [{ stp: "x" }] }, /^a step id, or/],
    ["a dependency's name", { type: "checkpoint", depends_on: ["a b"] }, /^letters, digits/],
    ["a join", { type: "checkpoint", join: "some" }, /^"all", "any" or/],
    ["a map's list", { type: "map", over: "x", step: { type: "llm", prompt: "p" } }, /^a list, or/],
  ])("%s of the wrong form is told the right one", (_, step, message) => {
    const issues = issuesOf({ steps: [{ id: "a", ...step }] });
    expect(issues).toHaveLength(1);
    expect(issues[0]?.message).toMatch(message);
  });

  test("an expression is one text of at most 4,000 characters and nothing else", () => {
    const withPrompt = (prompt: unknown) => issuesOf({ steps: [{ id: "a", type: "llm", prompt }] });
    expect(withPrompt({ $cel: "goal" })).toEqual([]);
    expect(withPrompt({ $cel: "goal", x: 1 })).not.toEqual([]);
    expect(withPrompt({ $cel: "" })).not.toEqual([]);
    expect(withPrompt({ $cel: "x".repeat(4_001) })).not.toEqual([]);
  });
});
