/** From a valid plan to the steps of a task: ranks by the critical path, and how long it takes at the least. */
import { criticalPath, estimateDuration } from "../graph/duration.ts";
import { buildGraph } from "../graph/graph.ts";
import type { PlanGraph } from "../graph/graph.ts";
import type { NewStep } from "../ports/store.ts";
import { layOutPlan } from "./layout.ts";
import type { PlanSpec, RetryPolicySpec, StepSpec } from "./spec.ts";

/** What a step is expected to take before anything was measured, in ms; it orders, it promises nothing. */
const expectedMs: Readonly<Record<StepSpec["type"], number>> = {
  llm: 8_000,
  agent: 120_000,
  tool: 1_000,
  map: 20_000,
  checkpoint: 100,
  summarization: 8_000,
};

export interface ScheduleOptions {
  readonly newId: () => string;
  readonly pool: string;
  readonly retry?: RetryPolicySpec | undefined;
  /** Steps of the task that may run at once; absent = all. */
  readonly concurrency?: number | undefined;
  /** Steps that exist already, by key. */
  readonly existing?: ReadonlyMap<string, string> | undefined;
}

export interface Schedule {
  readonly steps: readonly NewStep[];
  readonly estimatedDurationMs: number;
}

export function estimatedDurationMs(plan: PlanSpec, concurrency?: number, existing?: ReadonlySet<string>): number {
  return durationOf(plan, buildGraph(plan, existing), concurrency);
}

function durationOf(plan: PlanSpec, graph: PlanGraph, concurrency: number | undefined): number {
  return Math.round(estimateDuration(graph, weightOf(plan), concurrency ?? plan.steps.length) * 1_000);
}

/** @throws BatonError invalid-plan for a plan that `validatePlan` does not accept */
export function schedulePlan(plan: PlanSpec, options: ScheduleOptions): Schedule {
  const { newId, pool, retry, concurrency, existing } = options;
  const names = existing === undefined ? undefined : new Set(existing.keys());
  const graph = buildGraph(plan, names);
  const { rankMs } = criticalPath(graph, weightOf(plan));
  const rankById = new Map(graph.nodes.map((id, node) => [id, Math.round(rankMs[node] ?? 0)]));
  const steps = layOutPlan(plan, {
    newId,
    pool,
    retry: retry ?? {},
    rankOf: (id) => rankById.get(id) ?? 0,
    ...(existing !== undefined && { existing }),
  });
  return { steps, estimatedDurationMs: durationOf(plan, graph, concurrency) };
}

const weightOf =
  (plan: PlanSpec) =>
  (node: number): number =>
    expectedMs[plan.steps[node]?.type ?? "tool"];
