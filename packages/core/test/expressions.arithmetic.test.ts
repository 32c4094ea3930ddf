import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluateExpression } from "../src/expressions/index.ts";
import type { ExpressionScope } from "../src/expressions/index.ts";
import { BatonError } from "../src/index.ts";

const operators = ["+", "-", "*", "/", "%"] as const;
type Operator = (typeof operators)[number];

const scopeOf = (item: unknown, index: number): ExpressionScope => ({
  steps: { a: { state: "completed", output: item } },
  input: { k: item },
  goal: "goal",
  item,
  index,
});

/** An expression with the value it has: a written integer is an int (bigint), every number of JSON a double. */
interface Term {
  readonly source: string;
  readonly value: bigint | number | "refused";
}

const apply: Record<Operator, { ints(a: bigint, b: bigint): bigint; doubles(a: number, b: number): number }> = {
  "+": { ints: (a, b) => a + b, doubles: (a, b) => a + b },
  "-": { ints: (a, b) => a - b, doubles: (a, b) => a - b },
  "*": { ints: (a, b) => a * b, doubles: (a, b) => a * b },
  "/": { ints: (a, b) => a / b, doubles: (a, b) => a / b },
  "%": { ints: (a, b) => a % b, doubles: (a, b) => a % b },
};

function combined(left: Term, operator: Operator, right: Term): Term {
  const source = `(${left.source} ${operator} ${right.source})`;
  const { value: a } = left;
  const { value: b } = right;
  if (a === "refused" || b === "refused") return { source, value: "refused" };
  if (typeof a !== "bigint" || typeof b !== "bigint") {
    return { source, value: apply[operator].doubles(Number(a), Number(b)) };
  }
  const isByZero = b === 0n && (operator === "/" || operator === "%");
  return { source, value: isByZero ? "refused" : apply[operator].ints(a, b) };
}

function negated({ source, value }: Term): Term {
  return { source: `-(${source})`, value: value === "refused" ? value : -value };
}

const item = 2.5;
const index = 3;

const { term } = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.nat({ max: 9 }).map((number): Term => ({ source: String(number), value: BigInt(number) })),
    fc.constantFrom<Term>(
      { source: "index", value: index },
      { source: "item", value: item },
      { source: "input.k", value: item },
      { source: "steps.a.output", value: item },
      { source: "1.5", value: 1.5 },
      { source: "size(goal)", value: 4n },
      { source: "int(item)", value: 2n },
      { source: "double(2)", value: 2 },
    ),
    fc
      .tuple(tie("term"), fc.constantFrom(...operators), tie("term"))
      .map(([left, operator, right]) => combined(left, operator, right)),
    tie("term").map(negated),
  ),
}));

function evaluated(source: string, scope: ExpressionScope): unknown {
  try {
    return evaluateExpression(source, scope);
  } catch (error) {
    if (error instanceof BatonError && error.code === "invalid-expression") return "refused";
    throw error;
  }
}

describe("arithmetic", () => {
  test.each([
    ["3 - index", 0],
    ["(3 - index) * 2", 0],
    ["10 % index", 1],
    ["-(1 - index) % 2", 0],
    ["2 * item - 1", 4],
    ["1 - (2 - (3 - item))", -0.5],
    ["[1, item].map(x, 3 - x - 1)", [1, -0.5]],
  ])("%s", (source, expected) => {
    expect(evaluateExpression(source, scopeOf(item, index))).toEqual(expected);
  });

  test("over written integers and numbers of JSON, in any order and depth, is arithmetic", () => {
    fc.assert(
      fc.property(term, ({ source, value }) => {
        const expected = value === "refused" || !Number.isFinite(Number(value)) ? "refused" : Number(value) + 0;
        const actual = evaluated(source, scopeOf(item, index));
        expect(typeof actual === "number" ? actual + 0 : actual).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  test("over operands of any kinds yields JSON or is refused as an expression", () => {
    const operand = fc.constantFrom("3", "1.5", "index", "item", "input.k", "size(goal)", '"s"', "true", "null", "[1]");
    const operator = fc.constantFrom(...operators, "<", ">=", "==", "!=", "in", "&&", "||");
    const source = fc
      .tuple(fc.constantFrom("", "-", "!"), operand, operator, operand, operator, operand)
      .map(([unary, a, first, b, second, c]) => `(${unary}${a} ${first} ${b}) ${second} ${c}`);
    const anything = fc.jsonValue({ maxDepth: 1 });
    fc.assert(
      fc.property(source, anything, (text, value) => {
        JSON.stringify(evaluated(text, scopeOf(value, index)));
      }),
      { numRuns: 5_000 },
    );
  });
});
