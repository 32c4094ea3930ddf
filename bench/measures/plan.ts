/**
 * `plan`: what the api does with a plan before it writes: validation, graph, levels, critical path and duration.
 *
 * Boundary: pure computation in this process; neither the JSON's parsing nor the check of its shape is in it.
 */
import { buildGraph, criticalPath, estimateDuration, topologicalLevels, validatePlan } from "@baton/core/graph";
import type { PlanSpec } from "@baton/core/plan";
import type { Line, Measure } from "./measure.ts";

function specOf(size: number, edgesPerStep: number, withExpressions: boolean): PlanSpec {
  const steps = Array.from({ length: size }, (_, index) => {
    const reach = Math.min(index, edgesPerStep);
    const dependsOn = new Set<string>();
    for (let edge = 1; edge <= reach; edge++) dependsOn.add(`s${Math.max(0, index - edge ** 3 * (1 + (index % 7)))}`);
    const read = `steps.s${Math.max(0, index - 1 - (index % 7))}.output.text`;
    const step = { id: `s${index}`, depends_on: [...dependsOn] };
    if (!withExpressions || index === 0) return { ...step, type: "checkpoint" as const };
    return { ...step, type: "tool" as const, tool: "echo", arguments: { text: { $cel: read }, position: index } };
  });
  return { steps };
}

function medianMs(rounds: number, run: () => void): number {
  const times = Array.from({ length: rounds }, () => {
    const begin = performance.now();
    run();
    return performance.now() - begin;
  });
  return times.sort((a, b) => a - b)[rounds >> 1] ?? 0;
}

const weigh = (node: number): number => 100 + (node % 900);

/** Milliseconds per part; every step has three dependencies, and names one of them in an expression or not. */
function figuresOf(size: number, withExpressions: boolean, rounds: number): Readonly<Record<string, number>> {
  const spec = specOf(size, 3, withExpressions);
  const problems = validatePlan(spec, { maxSteps: size });
  if (problems.length > 0) throw new Error(`The plan is not valid: ${problems[0]?.message}`);
  const graph = buildGraph(spec);
  return {
    validate: medianMs(rounds, () => validatePlan(spec, { maxSteps: size })),
    build: medianMs(rounds, () => buildGraph(spec)),
    levels: medianMs(rounds, () => topologicalLevels(graph)),
    critical: medianMs(rounds, () => criticalPath(graph, weigh)),
    estimate: medianMs(rounds, () => estimateDuration(graph, weigh, 8)),
  };
}

export const plan: Measure = {
  name: "plan",
  async run({ smoke }) {
    const values: Record<string, number> = {};
    const lines: Line[] = [];
    for (const size of [1_000, 100_000]) {
      for (const withExpressions of [false, true]) {
        const figures = figuresOf(smoke ? size / 100 : size, withExpressions, smoke ? 1 : 5);
        const ms = Object.values(figures).reduce((sum, part) => sum + part, 0);
        const name = withExpressions ? `plan-${size}-with-references` : `plan-${size}`;
        values[`${name}/ms`] = ms;
        const note = Object.entries(figures).map(([part, own]) => `${part} ${own.toFixed(1)}`);
        lines.push({ measure: name, backend: "", figure: `${ms.toFixed(1)} ms`, note: note.join(", ") });
      }
    }
    return { values, lines };
  },
};
