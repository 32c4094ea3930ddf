/**
 * What planning costs: validation, graph, levels and critical path of large plans.
 *
 * Run: node bench/plan.ts. It does not measure parsing the JSON nor zod's check of the shape.
 */
import { buildGraph, criticalPath, estimateDuration, topologicalLevels, validatePlan } from "@baton/core/graph";
import type { PlanSpec } from "@baton/core/plan";

const rounds = 5;

function plan(size: number, edgesPerStep: number, withExpressions: boolean): PlanSpec {
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

function medianMs(run: () => void): number {
  const times = Array.from({ length: rounds }, () => {
    const begin = performance.now();
    run();
    return performance.now() - begin;
  });
  return times.sort((a, b) => a - b)[rounds >> 1] ?? 0;
}

const weigh = (node: number): number => 100 + (node % 900);

for (const [size, edgesPerStep, withExpressions] of [
  [1_000, 3, false],
  [1_000, 3, true],
  [10_000, 3, false],
  [100_000, 3, false],
  [100_000, 3, true],
] as const) {
  const spec = plan(size, edgesPerStep, withExpressions);
  const problems = validatePlan(spec, { maxSteps: size });
  if (problems.length > 0) throw new Error(`the plan is not valid: ${problems[0]?.message}`);
  const graph = buildGraph(spec);
  const figures = {
    validate: medianMs(() => validatePlan(spec, { maxSteps: size })),
    build: medianMs(() => buildGraph(spec)),
    levels: medianMs(() => topologicalLevels(graph)),
    critical: medianMs(() => criticalPath(graph, weigh)),
    estimate: medianMs(() => estimateDuration(graph, weigh, 8)),
  };
  const total = Object.values(figures).reduce((sum, ms) => sum + ms, 0);
  const shown = Object.entries({ ...figures, total }).map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`);
  const kind = withExpressions ? "one reference a step" : "no expressions";
  console.log(`${size} steps, ${graph.edges.to.length} edges, ${kind}: ${shown.join(", ")}`);
}
