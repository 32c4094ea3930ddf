import { agentDefinition } from "@baton/core/agent";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildGraph, topologicalLevels, validatePlan } from "../src/graph/index.ts";
import { planSpec } from "../src/plan/index.ts";
import type { PlanSpec, StepSpec } from "../src/plan/index.ts";

const limits = { maxSteps: 50 };

function checkpoint(id: string, ...dependencies: readonly string[]): StepSpec {
  return { id, type: "checkpoint", depends_on: [...dependencies] };
}

function tool(id: string, args: Record<string, unknown>, ...dependencies: readonly string[]): StepSpec {
  return { id, type: "tool", tool: "echo", arguments: args, depends_on: [...dependencies] };
}

const cel = (source: string) => ({ $cel: source });

function problemsOf(steps: readonly StepSpec[], more: Partial<Parameters<typeof validatePlan>[1]> = {}) {
  return validatePlan({ steps: [...steps] }, { ...limits, ...more });
}

describe("a plan that can run has no problems", () => {
  test("a diamond with references, conditions, a map and a result", () => {
    const spec = planSpec.parse({
      steps: [
        { id: "scan", type: "tool", tool: "list", arguments: { folder: cel("input.folder") } },
        {
          id: "read",
          type: "map",
          over: cel("steps.scan.output.files"),
          step: { type: "tool", tool: "echo", arguments: { file: cel("item.name"), at: cel("index + 1") } },
          depends_on: [{ step: "scan", when: cel("size(steps.scan.output.files) > 0") }],
        },
        { id: "sum", type: "llm", prompt: cel("'Files: ' + steps.scan.output.files.join(', ')"), depends_on: ["scan"] },
        { id: "end", type: "summarization", depends_on: ["read", { step: "sum" }], join: { n: 2 } },
      ],
      result: cel("steps.end.output"),
    });
    expect(validatePlan(spec, { ...limits, knownTools: new Set(["list", "echo"]) })).toEqual([]);
  });

  test("an ancestor need not be a direct dependency", () => {
    const steps = [
      checkpoint("a"),
      checkpoint("b", "a"),
      checkpoint("c", "b"),
      tool("d", { x: cel("steps.a.output") }, "c"),
    ];
    expect(problemsOf(steps)).toEqual([]);
  });

  test("a revision may depend on and read steps that exist already", () => {
    const steps = [
      tool("more", { x: cel("steps.old.output + steps.older.output") }, "old"),
      checkpoint("end", "more", "old"),
    ];
    const existingSteps = new Set(["old", "older"]);
    expect(problemsOf(steps, { existingSteps })).toEqual([]);
    expect(problemsOf(steps).map(({ code }) => code)).toContain("unknown-dependency");
    expect(buildGraph({ steps }, existingSteps).edges.to).toEqual(Int32Array.of(1));
    const [problem] = problemsOf([checkpoint("old")], { existingSteps });
    expect(problem).toMatchObject({ code: "duplicate-id", message: expect.stringContaining("already") });
  });
});

describe("every problem names its step, its place and the fix", () => {
  test.each<[string, readonly StepSpec[], { code: string; stepId?: string; pointer: string; message: RegExp }]>([
    ["no steps", [], { code: "empty", pointer: "/steps", message: /at least one/ }],
    [
      "two steps of one name",
      [checkpoint("a"), checkpoint("a")],
      { code: "duplicate-id", stepId: "a", pointer: "/steps/1/id", message: /positions 0 and 1.*Rename/ },
    ],
    [
      "a dependency that does not exist",
      [checkpoint("a", "b")],
      {
        code: "unknown-dependency",
        stepId: "a",
        pointer: "/steps/0/depends_on/0",
        message: /"b", which does not exist/,
      },
    ],
    [
      "a step that waits for itself",
      [checkpoint("a", "a")],
      { code: "self-dependency", stepId: "a", pointer: "/steps/0/depends_on/0", message: /depends on itself/ },
    ],
    [
      "the same dependency twice",
      [checkpoint("a"), checkpoint("b", "a", "a")],
      { code: "duplicate-dependency", stepId: "b", pointer: "/steps/1/depends_on/1", message: /twice/ },
    ],
    [
      "a circle",
      [checkpoint("a", "b"), checkpoint("b", "c"), checkpoint("c", "a"), checkpoint("d", "a")],
      {
        code: "cycle",
        stepId: "a",
        pointer: "/steps/0/depends_on",
        message: /a → b → c → a \(each depends on the next\)/,
      },
    ],
    [
      "a join that can never be met",
      [checkpoint("a"), { ...checkpoint("b", "a"), join: { n: 2 } }],
      { code: "join-too-large", stepId: "b", pointer: "/steps/1/join", message: /waits for 2 .* has 1/ },
    ],
    [
      "any of nothing",
      [{ ...checkpoint("a"), join: "any" }],
      { code: "join-too-large", stepId: "a", pointer: "/steps/0/join", message: /waits for 1 .* has 0/ },
    ],
    [
      "an expression that does not parse",
      [tool("a", { x: ["y", cel("1 +")] })],
      { code: "invalid-expression", stepId: "a", pointer: "/steps/0/arguments/x/1", message: /line 1, column 4/ },
    ],
    [
      "an expression with a second key",
      [tool("a", { x: { $cel: "goal", y: 1 } })],
      { code: "invalid-expression", stepId: "a", pointer: "/steps/0/arguments/x", message: /no other key/ },
    ],
    [
      "a reference to a step that does not exist",
      [{ id: "a", type: "llm", prompt: cel("steps.gone.output") }],
      { code: "unknown-step", stepId: "a", pointer: "/steps/0/prompt", message: /there is no step "gone"/ },
    ],
    [
      "a reference to a step beside it",
      [checkpoint("a"), tool("b", { x: cel("steps.a.output") })],
      { code: "not-an-ancestor", stepId: "b", pointer: "/steps/1/arguments/x", message: /Add "a" to its depends_on/ },
    ],
    [
      "a reference to a step behind it",
      [tool("a", { x: cel("steps.b.output") }), checkpoint("b", "a")],
      { code: "not-an-ancestor", stepId: "a", pointer: "/steps/0/arguments/x", message: /"b"/ },
    ],
    [
      "a reference to itself",
      [tool("a", { x: cel("steps.a.output") })],
      { code: "not-an-ancestor", stepId: "a", pointer: "/steps/0/arguments/x", message: /its own output/ },
    ],
    [
      "item outside of a map",
      [{ id: "m", type: "map", over: cel("item"), step: { type: "llm", prompt: cel("item") } }],
      { code: "invalid-expression", stepId: "m", pointer: "/steps/0/over", message: /only inside the step of a map/ },
    ],
    [
      "a condition that looks sideways",
      [
        checkpoint("a"),
        checkpoint("b"),
        { id: "c", type: "checkpoint", depends_on: ["b", { step: "a", when: cel("steps.b.state == 'completed'") }] },
      ],
      { code: "not-an-ancestor", stepId: "c", pointer: "/steps/2/depends_on/1/when", message: /depends_on of "a"/ },
    ],
    [
      "a condition that does not parse",
      [checkpoint("a"), { id: "b", type: "checkpoint", depends_on: [{ step: "a", when: cel("==") }] }],
      { code: "invalid-expression", stepId: "b", pointer: "/steps/1/depends_on/0/when", message: /column 1/ },
    ],
  ])("%s", (_, steps, { message, ...expected }) => {
    const problems = problemsOf(steps);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject(expected);
    expect(problems[0]?.message).toMatch(message);
  });

  test("a plan with too many steps", () => {
    const [problem] = problemsOf([checkpoint("a"), checkpoint("b")], { maxSteps: 1 });
    expect(problem).toMatchObject({ code: "too-large", pointer: "/steps" });
    expect(problem?.message).toMatch(/2 steps; 1 are allowed/);
  });

  test("a tool nobody has, also inside a map or of an agent", () => {
    const inner: StepSpec = { id: "m", type: "map", over: [1], step: { type: "tool", tool: "nope" } };
    const written = { name: "reader", description: "Reads.", instructions: "Read.", tools: ["list", "nope"] };
    const agent: StepSpec = { id: "g", type: "agent", agent: agentDefinition.parse(written), prompt: "Read." };
    const found = problemsOf([tool("a", {}), inner, agent], { knownTools: new Set(["list"]) });
    expect(found.map(({ code, pointer }) => [code, pointer])).toEqual([
      ["unknown-tool", "/steps/0/tool"],
      ["unknown-tool", "/steps/1/step/tool"],
      ["unknown-tool", "/steps/2/agent/tools/1"],
    ]);
    expect(found[0]?.message).toContain("known are: list");
    expect(problemsOf([inner], { knownTools: new Set() })[0]?.message).toContain("none");
  });

  test("a result that names an unknown step", () => {
    const [problem] = validatePlan({ steps: [checkpoint("a")], result: cel("steps.b.output") }, limits);
    expect(problem).toMatchObject({ code: "unknown-step", pointer: "/result" });
    expect(problem).not.toHaveProperty("stepId");
  });

  test("several problems are told at once, at most a hundred", () => {
    const steps = Array.from({ length: 300 }, (_, at) => checkpoint(`s${at}`, "gone", `s${at}`));
    expect(problemsOf(steps, { maxSteps: 300 })).toHaveLength(100);
    const both = problemsOf([checkpoint("a", "a", "gone"), tool("b", { x: cel("?") })]);
    expect(both.map(({ code }) => code)).toEqual(["self-dependency", "unknown-dependency", "invalid-expression"]);
  });

  test("two circles are both named, a long one shortened", () => {
    const ring = (name: string, size: number) =>
      Array.from({ length: size }, (_, at) => checkpoint(`${name}${at}`, `${name}${(at + 1) % size}`));
    const found = problemsOf([...ring("a", 2), ...ring("b", 30), checkpoint("tail", "a0")]);
    expect(found.map(({ code }) => code)).toEqual(["cycle", "cycle"]);
    expect(found[0]?.message).toContain("a0 → a1 → a0");
    expect(found[1]?.message).toContain("b17 → b18 → (10 more) → b29 → b0");
  });

  test("a chain of 100,000 steps whose end reads its beginning is checked without recursion", () => {
    const steps = Array.from({ length: 100_000 }, (_, at) =>
      at === 0 ? checkpoint("s0") : checkpoint(`s${at}`, `s${at - 1}`),
    );
    steps.push(tool("end", { x: cel("steps.s0.output") }, "s99999"));
    expect(problemsOf(steps, { maxSteps: 200_000 })).toEqual([]);
    expect(topologicalLevels(buildGraph({ steps }))).toHaveLength(100_001);
  });
});

/** A random acyclic plan: each step may depend on earlier ones; the steps are then shuffled. */
const acyclicPlan = fc
  .integer({ min: 2, max: 12 })
  .chain((size) =>
    fc.tuple(
      fc.array(fc.array(fc.nat({ max: size - 1 }), { maxLength: 4 }), { minLength: size, maxLength: size }),
      fc.shuffledSubarray([...Array(size).keys()], { minLength: size, maxLength: size }),
    ),
  )
  .map(([wishes, order]): PlanSpec => {
    const steps = wishes.map((wish, at) =>
      checkpoint(`s${at}`, ...new Set(wish.filter((other) => other < at).map((other) => `s${other}`))),
    );
    return { steps: order.map((at) => steps[at]!) };
  });

function ancestorsOf(spec: PlanSpec, id: string): Set<string> {
  const found = new Set<string>();
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const dependency of spec.steps.find((step) => step.id === next)?.depends_on ?? []) {
      if (typeof dependency !== "string" || found.has(dependency)) continue;
      found.add(dependency);
      open.push(dependency);
    }
  }
  return found;
}

describe("over random plans", () => {
  test("an acyclic plan has no problem, and levels put every dependency before what waits for it", () => {
    fc.assert(
      fc.property(acyclicPlan, (spec) => {
        expect(validatePlan(spec, limits)).toEqual([]);
        const graph = buildGraph(spec);
        const levelOf = new Map(
          topologicalLevels(graph).flatMap((nodes, level) => nodes.map((node) => [node, level] as const)),
        );
        expect(levelOf.size).toBe(spec.steps.length);
        graph.edges.from.forEach((from, edge) => {
          expect(levelOf.get(from)!).toBeLessThan(levelOf.get(graph.edges.to[edge]!)!);
        });
      }),
    );
  });

  test("a planted circle is always found, and what is named is a circle of the plan", () => {
    fc.assert(
      fc.property(acyclicPlan, fc.nat(), fc.integer({ min: 2, max: 5 }), (spec, at, wanted) => {
        const members = Array.from(
          { length: Math.min(wanted, spec.steps.length) },
          (_, k) => (at + k) % spec.steps.length,
        );
        const steps = spec.steps.map((step, index) => {
          const place = members.indexOf(index);
          if (place < 0) return step;
          const next = spec.steps[members[(place + 1) % members.length]!]!.id;
          return { ...step, depends_on: [...new Set([...((step.depends_on ?? []) as string[]), next])] };
        });
        const [problem] = validatePlan({ steps }, limits).filter(({ code }) => code === "cycle");
        const named = /other: (.*) \(each/.exec(problem?.message ?? "")?.[1]?.split(" → ") ?? [];
        expect(named.length).toBeGreaterThan(2);
        expect(named[0]).toBe(named.at(-1));
        named.slice(1).forEach((id, k) => {
          expect(steps.find((step) => step.id === named[k])?.depends_on).toContain(id);
        });
      }),
    );
  });

  test("a reference is accepted exactly when it names an ancestor", () => {
    fc.assert(
      fc.property(acyclicPlan, fc.nat(), fc.nat(), (spec, from, to) => {
        const reader = spec.steps[from % spec.steps.length]!;
        const read = spec.steps[to % spec.steps.length]!.id;
        const steps = spec.steps.map((step) =>
          step === reader
            ? tool(step.id, { x: cel(`steps.${read}.output`) }, ...((step.depends_on ?? []) as string[]))
            : step,
        );
        expect(validatePlan({ steps }, limits).length === 0).toBe(ancestorsOf(spec, reader.id).has(read));
      }),
    );
  });
});

test("hundreds of distant references at once are answered as one by one", () => {
  const size = 300;
  const odd = (at: number) => at % 2 === 1;
  const steps = Array.from({ length: size }, (_, at) => {
    const dependencies = at < 2 ? [] : [`s${at - 2}`];
    const args = Object.fromEntries(
      [at - 3, at - 4, at - 100].filter((k) => k >= 0).map((k) => [`k${k}`, cel(`steps.s${k}.output`)]),
    );
    return tool(`s${at}`, args, ...dependencies);
  });
  const refuted = validatePlan({ steps }, { maxSteps: size });
  expect(refuted).toHaveLength(100);
  for (const { code, stepId, pointer } of refuted) {
    expect(code).toBe("not-an-ancestor");
    expect(odd(Number(stepId?.slice(1)))).not.toBe(odd(Number(pointer.slice(pointer.lastIndexOf("k") + 1))));
  }
});
