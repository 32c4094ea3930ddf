import { BatonError } from "@baton/core";
import { validatePlan } from "@baton/core/graph";
import { planSpec } from "@baton/core/plan";
import type { ModelPort, ModelReply } from "@baton/core/ports";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decomposeGoal } from "../src/index.ts";
import { renderCatalogue } from "../src/plan/catalogue.ts";
import { planProblems } from "../src/plan/check.ts";
import { planSchema, readPlan } from "../src/plan/draft.ts";
import { examplePlan } from "../src/plan/prompt.ts";
import { builtinTools, goodPlan, offline, promptOf, scripted, sonnet } from "./models.fixture.ts";

const goal = "Report what the Markdown files below docs say";
const planned = (models: ModelPort, more: Partial<Parameters<typeof decomposeGoal>[2]> = {}) =>
  decomposeGoal(goal, builtinTools, { models, ...more });

const rejections: readonly (readonly [string, unknown, RegExp])[] = [
  ["no steps at all", { steps: [] }, /at least one step/],
  ["a bare list", goodPlan.steps, /the answer: /],
  ["a text", "one step: do it", /the answer: /],
  ["an unknown field", { steps: [{ ...goodPlan.steps[1], depends_on: [], effort: "high" }] }, /effort/],
  ["a wrong type", { steps: [{ id: "a", type: "shell", description: "" }] }, /steps\.0/],
  ["an unknown tool", { steps: [{ id: "a", type: "tool", tool: "files.delete" }] }, /files\.delete/],
  [
    "a cycle",
    {
      steps: [
        { id: "a", type: "llm", prompt: "p", depends_on: ["b"] },
        { id: "b", type: "llm", prompt: "p", depends_on: ["a"] },
      ],
    },
    /a → b → a|b → a → b/,
  ],
  [
    "an expression of nothing",
    { steps: [{ id: "a", type: "llm", prompt: { $cel: "steps.nobody.output" } }] },
    /nobody/,
  ],
  ["a missing argument", { steps: [{ id: "a", type: "tool", tool: "files.read", arguments: {} }] }, /needs.*path/],
  [
    "an unknown argument",
    { steps: [{ id: "a", type: "tool", tool: "files.list", arguments: { glob: "*" } }] },
    /no argument "glob"; it takes pattern, max/,
  ],
  [
    "arguments that are no JSON",
    { steps: [{ id: "a", type: "tool", tool: "files.list", arguments: "{pattern}", description: "", depends_on: [] }] },
    /steps\.0\.arguments/,
  ],
  [
    "a file nobody has seen",
    { steps: [{ id: "a", type: "tool", tool: "files.read", arguments: { path: "docs/invented.md" } }] },
    /invented\.md.*finds the files/,
  ],
  [
    "a list of files nobody has seen",
    { steps: [{ id: "a", type: "map", over: ["x.md"], step: { type: "llm", prompt: "p" } }] },
    /x\.md/,
  ],
  ["a pool", { steps: [{ id: "a", type: "llm", prompt: "p", pool: "gpu" }] }, /leave "pool" out/],
  [
    "an unknown model",
    { steps: [{ id: "a", type: "llm", prompt: "p", model: { provider: "anthropic", model: "claude-nine" } }] },
    /claude-nine/,
  ],
  ["a NUL", { steps: [{ id: "a", type: "llm", prompt: "a\u0000b" }] }, /NUL/],
];

describe("a rejected plan", () => {
  it.each(rejections)("with %s goes back with its problems and is repaired", async (_what, answer, problem) => {
    const { models, server } = await scripted({ replies: [{ object: answer }, { object: goodPlan }] });
    const result = await planned(models);
    expect(result).toMatchObject({ repairs: 1, offline: false, model: sonnet, plan: { steps: [{ id: "find" }, {}] } });
    expect(result.traces.map(({ type }) => type)).toEqual([
      "model-called",
      "plan-rejected",
      "model-called",
      "plan-decomposed",
    ]);
    const [rejected] = result.traces.flatMap((trace) => (trace.type === "plan-rejected" ? [trace.data] : []));
    expect(rejected?.problems.join("\n")).toMatch(problem);
    expect(rejected?.repair).toBe(0);
    expect(promptOf(server.requests[1])).toMatch(problem);
    expect(promptOf(server.requests[1])).toContain(goal);
  });

  it("of malformed JSON is repaired too", async () => {
    const { models, server } = await scripted({
      replies: [{ text: `Sure! {"steps": [{"id": "a",` }, { object: goodPlan }],
    });
    expect((await planned(models)).repairs).toBe(1);
    expect(promptOf(server.requests[1])).toContain("Sure! {");
    expect(promptOf(server.requests[1])).toContain("not JSON");
  });

  it("is repaired at most twice, then the failure names its problems and no step is made up", async () => {
    const { models, server } = await scripted({ fallback: { object: { steps: [] } } });
    const told: string[] = [];
    const failure = await planned(models, { trace: ({ type }) => told.push(type) }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BatonError);
    expect(failure).toMatchObject({ code: "planning-failed", message: expect.stringContaining("at least one step") });
    expect(server.requests).toHaveLength(3);
    expect(told.filter((type) => type === "plan-rejected")).toHaveLength(3);
    expect(told).not.toContain("plan-decomposed");
  });

  it("with more steps than maxSteps is rejected, and the items of a map do not count", async () => {
    const many = { steps: [0, 1, 2].map((no) => ({ id: `s${no}`, type: "llm", prompt: "p" })) };
    const map = {
      steps: [{ id: "each", type: "map", over: [1, 2, 3, 4], step: { type: "llm", prompt: "p" } }],
    };
    const { models } = await scripted({ replies: [{ object: many }, { object: map }] });
    const { repairs, plan } = await planned(models, { maxSteps: 2 });
    expect([repairs, plan.steps.length]).toEqual([1, 1]);
  });

  it("with an id of Baton's own step is rejected", async () => {
    const own = { steps: [{ id: "plan", type: "llm", prompt: "p" }] };
    const { models } = await scripted({ replies: [{ object: own }, { object: goodPlan }] });
    expect((await planned(models, { reservedIds: new Set(["plan"]) })).repairs).toBe(1);
  });
});

describe("what is no answer", () => {
  it("a refusal is model-refused after one call", async () => {
    const { models, server } = await scripted({ fallback: { fault: { kind: "refusal" } } });
    await expect(planned(models)).rejects.toMatchObject({ code: "model-refused" });
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ["overloaded", { kind: "overloaded" }],
    ["server-error", { kind: "server-error" }],
    ["unauthorized", { kind: "unauthorized" }],
  ] as const)("a provider that answers %s is asked once", async (_name, fault) => {
    const { models, server } = await scripted({ fallback: { fault } });
    await expect(planned(models)).rejects.toThrow();
    expect(server.requests).toHaveLength(1);
  });

  it("an abort is thrown as it is", async () => {
    const { models } = await scripted({ fallback: { fault: { kind: "hang" } } });
    const reason = new Error("cancelled by a person");
    await expect(planned(models, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("the form that providers are given", () => {
  it("is closed everywhere and uses only keywords that constrained decoding knows", () => {
    const allowed = new Set([
      "type",
      "properties",
      "required",
      "additionalProperties",
      "items",
      "anyOf",
      "enum",
      "const",
    ]);
    let optional = 0;
    const look = (schema: unknown): void => {
      if (typeof schema !== "object" || schema === null) return;
      const node = schema as Record<string, unknown>;
      for (const key of Object.keys(node)) expect(allowed).toContain(key);
      const properties = (node["properties"] ?? {}) as Record<string, unknown>;
      if (node["type"] === "object") expect(node["additionalProperties"]).toBe(false);
      optional += Object.keys(properties).length - ((node["required"] ?? []) as unknown[]).length;
      for (const child of [...Object.values(properties), node["items"]]) look(child);
      for (const option of (node["anyOf"] ?? []) as unknown[]) look(option);
    };
    look(planSchema);
    expect(optional).toBeLessThanOrEqual(24);
  });

  it("reaches the provider whole", async () => {
    const { models, server } = await scripted({ fallback: { object: goodPlan } });
    await planned(models);
    expect(server.requests[0]?.body["output_config"]).toMatchObject({ format: { schema: planSchema } });
  });

  it("is shown by an example that passes every check", () => {
    const read = readPlan(examplePlan);
    expect(read.valid && planProblems(read.value, { maxSteps: 5, tools: builtinTools, models: offline })).toEqual([]);
  });

  it("reads texts of JSON as what they say, and null as absent", () => {
    const step = { id: "a", type: "llm", prompt: "p", output_schema: '{"type": "object"}', depends_on: null };
    const read = readPlan({ steps: [step], result: null });
    expect(read).toEqual({
      valid: true,
      value: { steps: [{ id: "a", type: "llm", prompt: "p", output_schema: { type: "object" } }] },
    });
  });
});

it("a tool's shapes become a signature", () => {
  const inputSchema = {
    type: "object",
    required: ["kind"],
    properties: {
      kind: { const: "a" },
      size: { enum: ["s", 1] },
      either: { oneOf: [{ type: "string" }, { type: "array", items: { type: "number" } }] },
      maybe: { type: ["string", "null"] },
      deep: {
        properties: { a: { properties: { b: { properties: { c: { properties: { d: { type: "object" } } } } } } } },
      },
      bare: {},
    },
  };
  const tool = { name: "x", description: "Does x.", inputSchema, effect: "write" } as const;
  expect(renderCatalogue([tool], "signatures")).toBe(
    '- x {kind: "a", size?: "s" | 1, either?: string | number[], maybe?: string | null, deep?: {a?: {b?: {c?: {d?: any}}}}, bare?: any} -> any (write): Does x.',
  );
  expect(renderCatalogue([], "full")).toContain("no tools");
});

describe("the prompt", () => {
  it("has the goal, every tool and the input", async () => {
    const { models, server } = await scripted({ fallback: { object: goodPlan } });
    await planned(models, { input: { customer: "Ada" } });
    const prompt = promptOf(server.requests[0]);
    for (const part of [goal, "Ada", ...builtinTools.map(({ name }) => name)]) expect(prompt).toContain(part);
  });

  it("says less about the tools when the limit is small, and fails when nothing fits", async () => {
    const { models, server } = await scripted({ fallback: { object: goodPlan } });
    const seen: string[] = [];
    for (let limit = 4_000; limit > 900; limit = Math.floor(limit * 0.95)) {
      await planned(models, { contextWindowLimit: limit });
      const prompt = promptOf(server.requests.findLast(({ path }) => path === "/v1/messages"));
      expect(prompt.length / 4).toBeLessThanOrEqual(limit);
      expect(prompt).toContain("- files.list {pattern?: string");
      const detail = prompt.includes("/* Glob") ? "full" : prompt.includes("Lists the files") ? "signatures" : "names";
      if (seen.at(-1) !== detail) seen.push(detail);
    }
    expect(seen).toEqual(["full", "signatures", "names"]);
    await expect(planned(models, { contextWindowLimit: 600 })).rejects.toMatchObject({ code: "context-too-large" });
  });

  it("of a repair stays inside the limit however long the rejected answer is", async () => {
    const limit = 2_000;
    const long = { steps: [{ id: "a", type: "llm", prompt: "word ".repeat(20_000), nonsense: true }] };
    const { models, server } = await scripted({ replies: [{ object: long }, { object: goodPlan }] });
    await planned(models, { contextWindowLimit: limit });
    const messages = server.requests.filter(({ path }) => path === "/v1/messages");
    expect(messages).toHaveLength(2);
    // The scripted server counts four characters a token.
    expect(promptOf(messages[1]).length / 4).toBeLessThanOrEqual(limit);
    expect(promptOf(messages[1])).toContain("word word");
  });
});

/** A port that answers with one object; for a property, a socket per example would be too slow. */
function answering(object: unknown): ModelPort {
  const reply: ModelReply = {
    text: JSON.stringify(object) ?? "",
    object,
    finishReason: "stop",
    usage: { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, estimated: true },
    costUsd: null,
    model: sonnet,
    offline: false,
    durationMs: 1,
  };
  return { ...offline, generate: async () => reply };
}

const id = fc.constantFrom("a", "b", "c", "plan", "-x", "");
const expression = fc.record({
  $cel: fc.constantFrom("steps.a.output", "steps.b.output.files", "item", "1 +", "goal"),
});
const almostStep = fc.record(
  {
    id,
    type: fc.constantFrom("llm", "tool", "map", "checkpoint", "summarization", "loop"),
    description: fc.string(),
    depends_on: fc.oneof(
      fc.array(fc.oneof(id, fc.record({ step: id, when: expression })), { maxLength: 3 }),
      fc.constant(null),
    ),
    prompt: fc.oneof(fc.string(), expression),
    tool: fc.constantFrom("files.list", "files.read", "nothing"),
    arguments: fc.oneof(fc.jsonValue(), fc.json(), fc.record({ path: expression })),
    over: fc.oneof(expression, fc.array(fc.jsonValue())),
    step: fc.record(
      { type: fc.constantFrom("llm", "tool"), prompt: fc.string(), tool: fc.constant("files.read") },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ["id", "type"] },
);
const anything = fc.oneof(
  fc.jsonValue(),
  fc.record({ steps: fc.array(almostStep, { maxLength: 4 }), result: expression }, { requiredKeys: ["steps"] }),
  fc.record({
    steps: fc.array(
      fc.record({ id, type: fc.constant("llm"), prompt: fc.constant("p"), depends_on: fc.array(id, { maxLength: 2 }) }),
      { maxLength: 3 },
    ),
  }),
);

it("whatever a model answers, there is a plan that can run or a BatonError", async () => {
  let plans = 0;
  await fc.assert(
    fc.asyncProperty(anything, async (object) => {
      try {
        const { plan } = await planned(answering(object));
        plans += 1;
        expect(planSpec.parse(plan)).toEqual(plan);
        const knownTools = new Set(builtinTools.map(({ name }) => name));
        expect(validatePlan(plan, { maxSteps: 50, knownTools })).toEqual([]);
      } catch (error) {
        expect(error).toBeInstanceOf(BatonError);
        expect(error).toMatchObject({ code: "planning-failed" });
      }
    }),
    { numRuns: 400 },
  );
  expect(plans).toBeGreaterThan(0);
});
