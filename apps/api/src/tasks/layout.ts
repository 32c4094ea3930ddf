/** From a plan, a goal or a message to the first steps of a task. */
import { BatonError } from "@baton/core";
import { buildGraph, criticalPath, estimateDuration, validatePlan } from "@baton/core/graph";
import type { PlanGraph, PlanProblem } from "@baton/core/graph";
import { defaultTimeoutMs, layOutPlan } from "@baton/core/plan";
import type { PlanSpec, StepSpec } from "@baton/core/plan";
import type { NewStep, StepType } from "@baton/core/ports";
import type { TaskSettings } from "@baton/core/task";

/** Steps that a caller waits for are performed by the api process itself, see ARCHITECTURE §4. */
const interactivePool = "interactive";

/** What a step is expected to take before anything was measured, in ms; it orders, it promises nothing. */
const expectedMs: Readonly<Record<StepSpec["type"], number>> = {
  llm: 8_000,
  tool: 1_000,
  map: 20_000,
  checkpoint: 100,
  summarization: 8_000,
};

function planError(problems: readonly PlanProblem[]): BatonError {
  const first = problems[0] as PlanProblem;
  const isExpression = problems.every(({ code }) => code === "invalid-expression");
  const isTool = problems.every(({ code }) => code === "unknown-tool");
  const code = isExpression ? "invalid-expression" : isTool ? "unknown-tool" : "invalid-plan";
  return new BatonError(code, first.message, {
    problems: problems.map(({ pointer, message }) => ({ pointer: `/plan${pointer}`, detail: message })),
  });
}

export interface LaidOutPlan {
  readonly steps: readonly NewStep[];
  readonly estimatedDurationMs: number;
}

/** @throws BatonError invalid-plan, invalid-expression or unknown-tool, with pointers into the body */
export function layOut(
  plan: PlanSpec,
  settings: TaskSettings,
  options: {
    readonly maxSteps: number;
    readonly knownTools: ReadonlySet<string>;
    readonly pool: string;
    readonly newId: () => string;
  },
): LaidOutPlan {
  const problems = validatePlan(plan, options);
  if (problems.length > 0) throw planError(problems);
  const graph: PlanGraph = buildGraph(plan);
  const weightOf = (node: number): number => expectedMs[plan.steps[node]?.type ?? "tool"];
  const { rankMs } = criticalPath(graph, weightOf);
  const rankById = new Map(graph.nodes.map((id, node) => [id, Math.round(rankMs[node] ?? 0)]));
  const steps = layOutPlan(plan, {
    newId: options.newId,
    retry: settings.retry ?? {},
    pool: options.pool,
    rankOf: (id) => rankById.get(id) ?? 0,
  });
  const seconds = estimateDuration(graph, weightOf, settings.concurrency ?? plan.steps.length);
  return { steps, estimatedDurationMs: Math.round(seconds * 1_000) };
}

/** The one step a goal or a simple message begins with. */
export function firstStep(kind: "plan" | "reply", settings: TaskSettings, newId: () => string): NewStep {
  const type: StepType = kind;
  return {
    stepId: newId(),
    key: kind,
    kind,
    type,
    description: kind === "plan" ? "Plan the goal" : "Answer the message",
    config: {},
    join: "all",
    dependsOn: [],
    references: [],
    rank: 0,
    pool: interactivePool,
    timeoutMs: defaultTimeoutMs[kind] ?? 900_000,
    retry: settings.retry ?? {},
    onExhausted: "fail",
  };
}
