import { describe, expect, test } from "vitest";
import type { ExpressionScope } from "../src/expressions/index.ts";
import {
  checkExpression,
  evaluateExpression,
  expressionsIn,
  referencedSteps,
  resolveValue,
} from "../src/expressions/index.ts";
import { BatonError } from "../src/index.ts";

const scope: ExpressionScope = {
  steps: {
    scan: {
      state: "completed",
      output: {
        count: 5,
        ratio: 0.5,
        files: ["a.md", "b.md", "c.md"],
        mixed: [1, "a", null, { k: 1 }],
        words: { constructor: 3, the: 2, nested: [{ constructor: { x: 1 } }] },
        plain: { a: 1, b: "x" },
        nothing: null,
      },
    },
    "my-step": { state: "skipped", output: null },
  },
  input: { limit: 2, tags: ["x"] },
  goal: "summarise",
  item: { name: "a.md", text: "Zeile" },
  index: 1,
};

const evaluated = (source: string): unknown => evaluateExpression(source, scope);

function refusal(run: () => unknown): BatonError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(BatonError);
    expect(error).toMatchObject({ code: "invalid-expression" });
    return error as BatonError;
  }
  throw new Error("nothing was refused");
}

describe("an expression yields JSON of the value's own type", () => {
  test.each([
    ["steps.scan.output.files", ["a.md", "b.md", "c.md"]],
    ["steps.scan.output.files[1]", "b.md"],
    ['steps["my-step"].state', "skipped"],
    ["steps.scan", scope.steps["scan"]],
    ["steps.scan.output.nothing", null],
    ["size(steps.scan.output.files)", 3],
    ["steps.scan.output.files.size() - 1", 2],
    ["goal", "summarise"],
    ["input.tags[0]", "x"],
    ["item.name + '!'", "a.md!"],
    ["2.5", 2.5],
    ["-index", -1],
    ["!true", false],
    ["[1, 'a', null, 2.5, {'k': index}]", [1, "a", null, 2.5, { k: 1 }]],
    ["{}", {}],
    ["int(2.7)", 2],
    ["has(steps.scan.output.nope)", false],
    ["has(steps.scan.output.count)", true],
    ["steps.scan.output.words", { constructor: 3, the: 2, nested: [{ constructor: { x: 1 } }] }],
  ])("%s", (source, expected) => {
    expect(evaluated(source)).toEqual(expected);
  });
});

describe("a JSON number behaves like a number next to a written one", () => {
  test.each([
    ["steps.scan.output.count > 3", true],
    ["3 < steps.scan.output.count", true],
    ["steps.scan.output.count == 5", true],
    ["5 != steps.scan.output.count", false],
    ["index + 1", 2],
    ["1 - index", 0],
    ["3 * steps.scan.output.ratio", 1.5],
    ["steps.scan.output.count / 2", 2.5],
    ["7 / 2", 3],
    ["steps.scan.output.count % 2 == 1", true],
    ["steps.scan.output.count % index", 0],
    ["steps.scan.output.files[index]", "b.md"],
    ["steps.scan.output.files[index + 1]", "c.md"],
    ["steps.scan.output.count in [4, 5]", true],
    ["1 in steps.scan.output.mixed", true],
    ["steps.scan.output.mixed == [1, 'a', null, {'k': 1}]", true],
    ["size(steps.scan.output.files) > input.limit", true],
    ["steps.scan.output.files.filter(f, f != 'a.md').map(f, f + '!')", ["b.md!", "c.md!"]],
  ])("%s", (source, expected) => {
    expect(evaluated(source)).toEqual(expected);
  });
});

describe("the functions for prompts", () => {
  test.each([
    ["steps.scan.output.files.join(', ')", "a.md, b.md, c.md"],
    ["steps.scan.output.mixed.join('|')", '1|a|null|{"k":1}'],
    ["text(goal)", "summarise"],
    ["text(input)", '{"limit":2,"tags":["x"]}'],
    ["text(1 + 1)", "2"],
    ["json(goal)", '"summarise"'],
    ["json([1, index])", "[1,1]"],
    ["goal.startsWith('sum') && goal.contains('mar')", true],
    ["'a,b'.split(',')", ["a", "b"]],
    ["' x '.trim().upperAscii()", "X"],
    ["index > 0 ? dyn('many') : null", "many"],
    ["steps.scan.output.plain.map(k, k)", ["a", "b"]],
    ["steps.scan.output.files.exists(f, f.endsWith('b.md'))", true],
    ["steps.scan.output.files.all(f, f.endsWith('.md'))", true],
    ["steps.scan.output.files.exists_one(f, f == 'a.md')", true],
    ["[[1, 2], [3]].map(a, a.map(b, b + 1))", [[2, 3], [4]]],
  ])("%s", (source, expected) => {
    expect(evaluated(source)).toEqual(expected);
  });

  test("half a character is made well-formed, so that it can be stored", () => {
    expect(evaluated("'😀'.substring(0, 1)")).toBe("\uFFFD");
  });
});

describe("data with a key named constructor is data", () => {
  test.each([
    ['steps.scan.output.words["constructor"] + 1', 4],
    ["steps.scan.output.words.map(k, k)", ["constructor", "the", "nested"]],
    ["size(steps.scan.output.words)", 3],
    ["steps.scan.output.words.nested[0]['constructor']", { x: 1 }],
    ["json(steps.scan.output.words.nested)", '[{"constructor":{"x":1}}]'],
  ])("%s", (source, expected) => {
    expect(evaluated(source)).toEqual(expected);
  });
});

describe("an expression reaches nothing but the scope's own values", () => {
  test.each([
    "steps.scan.constructor",
    "steps.scan.output.__proto__",
    'steps.scan.output["__proto__"]',
    'steps.scan.output["constructor"]',
    "steps.scan.output.files.length",
    "goal.constructor",
    'steps.scan.output.plain["toString"] == 1',
    "steps.scan.output.files.constructor == 1",
    "__proto__",
    "prototype",
    "google",
    "cel.bind(x, 1, x)",
    "globalThis",
    "type(goal)",
    "goal.matches('(a+)+$')",
    "timestamp('2026-01-01T00:00:00Z')",
    "{'__proto__': 1}",
    "{'constructor': 1}",
    "{goal: 1}",
    "b'abc'",
    "1u",
    "steps.scan.output.files.map(steps, 1)",
    "steps.scan.?output",
    "item.in",
    "item.null",
    "steps",
    "size(steps)",
    "steps[goal]",
    "steps.scan.files",
    "steps.scan[goal]",
    "steps.scan.output[0.5]",
    "item.missing",
  ])("%s is refused", (source) => {
    const error = refusal(() => evaluated(source));
    expect(error.message).toContain(source.slice(0, 40));
  });

  test("an own key __proto__ stays an own key", () => {
    const value: unknown = JSON.parse('{"__proto__": {"polluted": true}}');
    const result = resolveValue({ a: { $cel: "[item]" } }, { steps: {}, item: value }) as { a: object[] };
    expect(Object.keys(result.a[0] ?? {})).toEqual(["__proto__"]);
    expect(Reflect.get(Object.prototype, "polluted")).toBeUndefined();
    expect(JSON.stringify(resolveValue({ b: value, c: { $cel: "index" } }, { steps: {}, index: 1 }))).toBe(
      '{"b":{"__proto__":{"polluted":true}},"c":1}',
    );
  });
});

describe("a failed evaluation says which expression and why", () => {
  test.each([
    ["steps.gone.output", /steps is an object with scan, my-step; it has no "gone"/],
    ["steps.scan.output.nope", /it has no "nope"/],
    ["steps.scan.output.files.nope", /is a list of 3/],
    ["steps.scan.output.files[9]", /it has no 9/],
    ["steps.scan.output.count.nope", /is a number/],
    ["steps.scan.output.nothing.nope", /is null/],
    ["input.empty.nope", /it has no "empty"/],
    ["steps.scan.output.nope + 1", /line 1, column 19.*No such key: nope/],
    ["1 / 0", /division by zero/],
    ["index / 0", /not a finite number/],
    ["9007199254740993", /too large for a JSON number/],
    ["goal + 1", /no such overload/],
    ["true ? 1 : 'a'", /dyn\(…\)/],
    ["goal ? 1 : 2", /must be bool/],
    ["has(goal)", /invalid/],
    ["item.a.b.c.d", /it has no "a"/],
  ])("%s", (source, reason) => {
    const error = refusal(() => evaluated(source));
    expect(error.message).toContain(source);
    expect(error.message).toMatch(reason);
    expect(error.details["expression"]).toBe(source);
  });

  test("the values of the task are what is missing when the scope has none", () => {
    expect(refusal(() => evaluateExpression("item.name", { steps: {} })).message).toContain("item has no value here");
    expect(refusal(() => evaluateExpression("item.name + 'x'", { steps: {} })).message).toContain("item");
    const many = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`k${at}`, at]));
    expect(refusal(() => evaluateExpression("item.x", { steps: {}, item: many })).message).toContain("and 2 more");
    expect(refusal(() => evaluateExpression("item.x", { steps: {}, item: {} })).message).toContain("an empty object");
  });

  test("values that are not JSON are refused instead of being lost", () => {
    const strange = (item: unknown) => refusal(() => evaluateExpression("[item]", { steps: {}, item })).message;
    expect(strange([Symbol("x")])).toMatch(/symbol/);
    expect(strange(new (class Foreign {})())).toMatch(/not JSON|Unsupported/);
    expect(strange([new (class Foreign {})()])).toMatch(/not JSON|Unsupported/);
    expect(strange([undefined])).toMatch(/undefined/);
    expect(evaluateExpression("[item]", { steps: {}, item: { a: undefined, b: 1 } })).toEqual([{ b: 1 }]);
  });

  test("an error of the host is passed on as it is", () => {
    const hostile = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw new Error("from the host");
      },
    });
    expect(() => evaluateExpression("[item.a]", { steps: {}, item: hostile })).toThrow("from the host");
    const silent = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw "a text" as unknown as Error;
      },
    });
    expect(() => evaluateExpression("[item.a]", { steps: {}, item: silent })).toThrow("a text");
  });
});

describe("an evaluation cannot run away", () => {
  const ten = "[1,2,3,4,5,6,7,8,9,10]";
  const big = Array.from({ length: 20_000 }, (_, at) => at);
  const long = "x".repeat(4_000_000);

  test.each([
    ["nested loops", `${`${ten}.map(a,`.repeat(8)}1${")".repeat(8)}`],
    ["nested loops inside a quantifier that swallows errors", `${`${ten}.exists(a,`.repeat(8)}a > 99${")".repeat(8)}`],
    ["a refusal swallowed by ||", `(${`${ten}.map(a,`.repeat(8)}1${")".repeat(8)}.size() > 0) || true`],
    ["long lists added again and again", "item.map(a, item + item)"],
    ["long texts made again and again", "item.map(a, goal + goal)"],
    ["the same large value copied again and again", "item.map(a, item)"],
    ["deep comparison in a loop", "item.map(a, item == item)"],
    ["deep search in a loop", "item.map(a, item in [item])"],
    ["scalar search in a loop", "item.map(a, -1 in item)"],
    ["text comparison in a loop", "item.map(a, goal == goal)"],
    ["JSON text in a loop", "item.map(a, json(item))"],
    ["a linear method in a loop", "item.map(a, goal.contains('y'))"],
    ["a linear function in a loop", "item.map(a, size(goal))"],
  ])("%s is too expensive", (_, source) => {
    const error = refusal(() => evaluateExpression(source, { steps: {}, item: big, goal: long }));
    expect(error.message).toContain("costs too much");
  });

  test("a map over 10,000 items with a text each is affordable", () => {
    const item = Array.from({ length: 10_000 }, (_, at) => ({ name: `f${at}`, text: "word ".repeat(200) }));
    const joined = evaluateExpression("item.filter(i, i.name != 'f1').map(i, i.text).join('\\n')", { steps: {}, item });
    expect(String(joined).length).toBe(9_999 * 1_001 - 1);
  });

  test("a cost of one evaluation is not charged to the next", () => {
    for (let round = 0; round < 30; round++)
      expect(evaluateExpression("item.filter(i, i > 19998)", { steps: {}, item: big })).toEqual([19_999]);
  });

  test.each([
    ["too many nodes", `1${"+1".repeat(1_200)}`, /maxAstNodes/],
    ["too deep", `${"(".repeat(100)}1${")".repeat(100)}`, /maxDepth/],
    ["negated without end", `${"!".repeat(3_990)}true`, /maxAstNodes|too deeply/],
    ["too deep a path", `goal${".a".repeat(200)}`, /maxDepth/],
    ["too long", `'${"x".repeat(4_000)}'`, /at most 4000 characters/],
    ["too many elements", `[${"1,".repeat(300)}]`, /maxListElements/],
  ])("an expression that is %s is refused", (_, source, reason) => {
    expect(checkExpression(source)[0]?.message).toMatch(reason);
  });

  test("values nested deeper than the stack are refused or copied, never a crash", () => {
    let item: unknown = 1;
    for (let depth = 0; depth < 100_000; depth++) item = [item];
    expect(evaluateExpression("item", { steps: {}, item })).toBe(item);
    expect(refusal(() => evaluateExpression("json(item)", { steps: {}, item })).message).toContain("too deeply");
  });
});

describe("checkExpression says before the run what is wrong", () => {
  const knownSteps = new Set(["scan", "my-step"]);

  test.each([
    ["steps.scan.output.files", []],
    ["steps.scan.output.files.map(f, f + goal)", []],
    ["steps.scan.", [{ kind: "syntax", line: 1, column: 12 }]],
    ["steps.scan.output ==\n  #", [{ kind: "syntax", line: 2, column: 3 }]],
    ["steps.scna.output", [{ kind: "unknown-step", step: "scna", line: 1, column: 1 }]],
    ["steps.scan.output + steps.nope.output", [{ kind: "unknown-step", step: "nope" }]],
    ["files", [{ kind: "not-allowed" }]],
    ["item.name", [{ kind: "not-allowed", message: "item exists only inside the step of a map" }]],
    ["index + 1", [{ kind: "not-allowed" }]],
    ["1 + 'a'", [{ kind: "type", line: 1, column: 1 }]],
    ["size(1, 2)", [{ kind: "type" }]],
  ])("%s", (source, expected) => {
    const found = checkExpression(source, { knownSteps });
    expect(found).toHaveLength(expected.length);
    for (const [at, part] of expected.entries()) expect(found[at]).toMatchObject(part);
  });

  test("inside a map, item and index exist", () => {
    expect(checkExpression("item.name + text(index)", { inMap: true })).toEqual([]);
  });

  test("a step name with a dash is explained", () => {
    expect(checkExpression("steps.my-step.output", { knownSteps })[0]?.message).toContain('steps["my-step"]');
    expect(checkExpression("steps.my-goal", { knownSteps })[0]?.message).toContain('steps["my-step"]');
    expect(checkExpression('steps["my-step"].output', { knownSteps })).toEqual([]);
  });

  test("a loop variable may be named like a step, and hides nothing outside", () => {
    expect(referencedSteps("steps.scan.output.map(scan, scan.x) + [steps.b.output]")).toEqual(["scan", "b"]);
  });

  test("every step is named once, in order", () => {
    expect(referencedSteps("steps.b.output + steps.a.output + steps.b.output")).toEqual(["b", "a"]);
    expect(referencedSteps('has(steps["x-1"].output.a) ? steps.y.state : goal')).toEqual(["x-1", "y"]);
    expect(referencedSteps("a +")).toEqual([]);
    expect(referencedSteps("goal")).toEqual([]);
  });

  test("thousands of different expressions stay right when older ones are forgotten", () => {
    for (let at = 0; at < 2_500; at++) expect(evaluateExpression(`index + ${at}`, scope)).toBe(at + 1);
    expect(evaluateExpression("index + 0", scope)).toBe(1);
  });
});

describe("resolveValue", () => {
  test("replaces each expression by its value and leaves the rest and the original alone", () => {
    const value = {
      list: { $cel: "steps.scan.output.files" },
      deep: [{ n: { $cel: "index + 1" } }, "text", { untouched: true }],
      flag: { $cel: "steps.scan.output.count > 3" },
      none: { $cel: "steps.scan.output.nothing" },
    };
    const before = structuredClone(value);
    expect(resolveValue(value, scope)).toEqual({
      list: ["a.md", "b.md", "c.md"],
      deep: [{ n: 2 }, "text", { untouched: true }],
      flag: true,
      none: null,
    });
    expect(value).toEqual(before);
  });

  test("an expression may be the whole value; a value without expressions is handed back as it is", () => {
    expect(resolveValue({ $cel: "index" }, scope)).toBe(1);
    const plain = { a: [1] };
    expect(resolveValue(plain, scope)).toBe(plain);
    expect(resolveValue("x", scope)).toBe("x");
    expect(resolveValue(null, scope)).toBeNull();
  });

  test("what an expression yields is data, even when it looks like an expression", () => {
    const item = { $cel: "goal" };
    expect(resolveValue({ a: { $cel: "item" }, b: { $cel: "[item]" } }, { steps: {}, goal: "g", item })).toEqual({
      a: { $cel: "goal" },
      b: [{ $cel: "goal" }],
    });
  });

  test("an object that stands at two places is resolved at both", () => {
    const shared = { x: { $cel: "index" } };
    expect(resolveValue({ a: shared, b: shared }, scope)).toEqual({ a: { x: 1 }, b: { x: 1 } });
  });

  test("an error names the place", () => {
    const error = refusal(() => resolveValue({ args: [{ "a/b": { $cel: "nope" } }] }, scope));
    expect(error.problems[0]?.pointer).toBe("/args/0/a~1b");
    expect(refusal(() => resolveValue({ a: { $cel: "item.x" } }, scope)).problems[0]?.pointer).toBe("/a");
    expect(refusal(() => resolveValue({ a: { $cel: "item.x + 1" } }, scope)).problems[0]?.pointer).toBe("/a");
  });

  test.each([[{ $cel: 5 }], [{ $cel: "goal", more: 1 }], [{ $cel: "" }]])("%j is refused", (malformed) => {
    expect(refusal(() => resolveValue({ a: malformed }, scope)).message).toContain("one text and no other key");
  });

  test("finds expressions 100,000 levels deep, in order", () => {
    let deep: unknown = { $cel: "goal" };
    for (let depth = 0; depth < 100_000; depth++) deep = [deep];
    expect(expressionsIn(deep)[0]?.segments.length).toBe(100_000);
    const flat = [{ $cel: "a" }, { b: { $cel: "b" } }, { $cel: "c" }];
    expect(expressionsIn(flat).map(({ source, pointer }) => [source, pointer])).toEqual([
      ["a", "/0"],
      ["b", "/1/b"],
      ["c", "/2"],
    ]);
  });
});
