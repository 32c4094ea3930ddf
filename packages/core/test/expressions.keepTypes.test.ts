import fc from "fast-check";
import { expect, test } from "vitest";
import { evaluateExpression, resolveValue } from "../src/expressions/index.ts";

const json = fc.jsonValue({ maxDepth: 4 });
const key = fc
  .stringMatching(/^[a-z][a-z0-9_]{0,6}$/)
  .filter((word) => !["in", "true", "false", "null"].includes(word));
/** -0 has no form in JSON text, and jsonb keeps none. */
const normal = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("a reference keeps any JSON value as it is, alone and inside another value", () => {
  fc.assert(
    fc.property(json, (output) => {
      const scope = { steps: { a: { output, state: "completed" } } };
      expect(resolveValue({ $cel: "steps.a.output" }, scope)).toBe(output);
      expect(resolveValue({ x: [{ $cel: "steps.a.output" }] }, scope)).toEqual({ x: [output] });
    }),
  );
});

test("a value that passed the evaluator is the same JSON value", () => {
  fc.assert(
    fc.property(json, (raw) => {
      const output = normal(raw);
      const scope = { steps: { a: { output, state: "completed" } } };
      expect(evaluateExpression("[steps.a.output][0]", scope)).toEqual(output);
      expect(evaluateExpression("{'k': steps.a.output}", scope)).toEqual({ k: output });
    }),
  );
});

test("following a plain path is the same as evaluating it", () => {
  const step = fc.oneof(key, fc.nat({ max: 3 }));
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      fc.integer(),
      fc.array(tie("node"), { maxLength: 4 }),
      fc.dictionary(key, tie("node")),
    ),
  })).node;
  const outcome = (source: string, item: unknown): unknown => {
    try {
      return { value: evaluateExpression(source, { steps: {}, item }) };
    } catch (error) {
      return error instanceof Error ? error.name : error;
    }
  };
  fc.assert(
    fc.property(tree, fc.array(step, { maxLength: 4 }), fc.context(), (item, path, context) => {
      const source = `item${path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("")}`;
      context.log(source);
      const direct = outcome(source, item);
      expect(outcome(`true ? ${source} : ${source}`, item)).toEqual(direct);
    }),
    { numRuns: 500 },
  );
});

test("comparison and arithmetic with a written int agree with JavaScript", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1_000, max: 1_000 }), fc.nat({ max: 1_000 }), (left, right) => {
      const at = (source: string): unknown => evaluateExpression(source, { steps: {}, item: left });
      expect(at(`item < ${right}`)).toBe(left < right);
      expect(at(`item == ${right}`)).toBe(left === right);
      expect(at(`item + ${right}`)).toBe(left + right);
      expect(at(`${right} - item`)).toBe(right - left);
      expect(at(`item * ${right}`)).toEqual(left * right);
    }),
  );
});
