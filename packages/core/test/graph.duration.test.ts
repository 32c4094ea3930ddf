import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  buildGraph,
  criticalPath,
  estimateDuration,
  neighbours,
  topologicalLevels,
  validatePlan,
} from "../src/graph/index.ts";
import type { PlanGraph } from "../src/graph/index.ts";
import { BatonError } from "../src/index.ts";
import type { PlanSpec } from "../src/plan/index.ts";

function graphOf(dependencies: Readonly<Record<string, readonly string[]>>): PlanGraph {
  const steps = Object.entries(dependencies).map(([id, on]) => ({
    id,
    type: "checkpoint" as const,
    depends_on: [...on],
  }));
  return buildGraph({ steps });
}

function longestByTrying(graph: PlanGraph, weights: readonly number[], node: number): number {
  const rest = [...neighbours(graph.successors, node)].map((next) => longestByTrying(graph, weights, next));
  return weights[node]! + Math.max(0, ...rest);
}

const diamond = graphOf({ a: [], b: ["a"], c: ["a"], d: ["b", "c"] });
const weights: Record<string, number> = { a: 100, b: 50, c: 300, d: 10 };
const weigh = (_: number, id: string): number => weights[id] ?? 0;

describe("the critical path", () => {
  test("names the longest chain, its time, and each step's remaining time", () => {
    const { path, totalMs, rankMs } = criticalPath(diamond, weigh);
    expect(path).toEqual(["a", "c", "d"]);
    expect(totalMs).toBe(410);
    expect([...rankMs]).toEqual([410, 60, 310, 10]);
  });

  test("prefers the step that stands first among equals", () => {
    expect(criticalPath(diamond, () => 1).path).toEqual(["a", "b", "d"]);
  });

  test("equals the best of all paths on small random graphs", () => {
    const graphs = fc
      .integer({ min: 1, max: 9 })
      .chain((size) =>
        fc.tuple(
          fc.array(fc.array(fc.nat({ max: size }), { maxLength: 3 }), { minLength: size, maxLength: size }),
          fc.array(fc.nat({ max: 1_000 }), { minLength: size, maxLength: size }),
        ),
      );
    fc.assert(
      fc.property(graphs, ([wishes, costs]) => {
        const on = wishes.map((wish, at) =>
          [...new Set(wish.filter((other) => other < at))].map((other) => `s${other}`),
        );
        const graph = graphOf(Object.fromEntries(on.map((list, at) => [`s${at}`, list])));
        const { path, totalMs, rankMs } = criticalPath(graph, (node) => costs[node]!);
        const best = costs.map((_, node) => longestByTrying(graph, costs, node));
        expect([...rankMs]).toEqual(best);
        expect(totalMs).toBe(Math.max(...best));
        expect(path.reduce((sum, id) => sum + costs[Number(id.slice(1))]!, 0)).toBe(totalMs);
        path.slice(1).forEach((id, at) => {
          expect(on[Number(id.slice(1))]).toContain(path[at]);
        });
      }),
    );
  });

  test("of an empty plan is empty", () => {
    expect(criticalPath(graphOf({}), weigh)).toMatchObject({ path: [], totalMs: 0 });
    expect(topologicalLevels(graphOf({}))).toEqual([]);
  });

  test.each([[Number.NaN], [-1], [Number.POSITIVE_INFINITY]])("refuses the weight %d and names the step", (weight) => {
    expect(() => criticalPath(diamond, () => weight)).toThrow(/weight of step "a"/);
  });
});

describe("the estimated duration, in seconds,", () => {
  test.each([
    [1, 0.46],
    [2, 0.41],
    [100, 0.41],
    [0, 0.46],
  ])("on %d slots is %d", (concurrency, seconds) => {
    expect(estimateDuration(diamond, weigh, concurrency)).toBeCloseTo(seconds, 9);
  });
});

describe("a graph that is no plan is refused, whoever asks", () => {
  const circle = graphOf({ a: ["b"], b: ["a"] });
  const refused = (run: () => unknown, message: RegExp) => {
    expect(run).toThrow(BatonError);
    expect(run).toThrow(message);
  };

  test("a circle is named", () => {
    refused(() => topologicalLevels(circle), /a → b → a/);
    refused(() => criticalPath(circle, weigh), /a → b → a/);
  });

  test("an unknown dependency and a second step of the same name are named", () => {
    refused(() => graphOf({ a: ["gone"] }), /"a" depends on "gone"/);
    const twice = { id: "a", type: "checkpoint" as const };
    refused(() => buildGraph({ steps: [twice, twice] }), /same id/);
  });
});

test("ten times the steps take at most twenty times the time", () => {
  const plan = (size: number): PlanSpec => ({
    steps: Array.from({ length: size }, (_, at) => ({
      id: `s${at}`,
      type: "tool" as const,
      tool: "echo",
      arguments: { x: at < 8 ? at : { $cel: `steps.s${at - 8}.output` } },
      depends_on: [...new Set([1, 2, 4].filter((back) => back <= at).map((back) => `s${at - back}`))],
    })),
  });
  const medianMs = (spec: PlanSpec): number => {
    const times = Array.from({ length: 5 }, () => {
      const begin = performance.now();
      expect(validatePlan(spec, { maxSteps: 100_000 })).toEqual([]);
      const graph = buildGraph(spec);
      topologicalLevels(graph);
      estimateDuration(graph, () => 1, 8);
      return performance.now() - begin;
    });
    return times.sort((a, b) => a - b)[2]!;
  };
  medianMs(plan(4_000));
  const small = medianMs(plan(4_000));
  expect(medianMs(plan(40_000)) / small).toBeLessThan(20);
});
