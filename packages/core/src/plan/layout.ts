/**
 * Lays a plan out as the steps the store creates.
 *
 * Purpose: resolve names to ids, and settle every per-step default in one place. Boundary: the plan
 * is valid (graph/ checked it); ids are handed in.
 */
import { expressionsIn, referencedSteps } from "../expressions/index.ts";
import type { NewEdge, NewStep } from "../ports/store.ts";
import type { ItemStep, PlanSpec, RetryPolicySpec, StepSpec } from "./spec.ts";

/** Deadlines by step type, in ms. An llm step covers a long reasoning call and its repairs. */
export const defaultTimeoutMs: Readonly<Record<string, number>> = {
  llm: 30 * 60_000,
  agent: 6 * 3_600_000,
  tool: 10 * 60_000,
  map: 10 * 60_000,
  checkpoint: 60_000,
  summarization: 30 * 60_000,
  plan: 15 * 60_000,
  evaluate: 15 * 60_000,
  reply: 15 * 60_000,
};

export interface LayoutOptions {
  readonly newId: () => string;
  readonly retry: RetryPolicySpec;
  readonly pool: string;
  /** Longest remaining path per step id, in ms; from graph/criticalPath. */
  readonly rankOf: (stepId: string) => number;
  /** Steps that exist already and may be depended on, by key (for revisions). */
  readonly existing?: ReadonlyMap<string, string>;
}

export function layOutPlan(plan: PlanSpec, options: LayoutOptions): NewStep[] {
  const ids = new Map(options.existing ?? []);
  for (const step of plan.steps) ids.set(step.id, options.newId());
  const idOf = (name: string): string => ids.get(name) as string;
  const conditionsFrom = new Map<string, string[]>();
  for (const step of plan.steps) {
    for (const dependency of step.depends_on ?? []) {
      if (typeof dependency === "string" || dependency.when === undefined) continue;
      const list = conditionsFrom.get(dependency.step) ?? [];
      list.push(dependency.when.$cel);
      conditionsFrom.set(dependency.step, list);
    }
  }
  return plan.steps.map((step) => {
    const { id, depends_on, join, description, retry, timeout_ms, on_exhausted, pool, ...config } = step;
    const dependsOn = (depends_on ?? []).map((dependency): NewEdge => {
      if (typeof dependency === "string") return { fromStepId: idOf(dependency) };
      return dependency.when === undefined
        ? { fromStepId: idOf(dependency.step) }
        : { fromStepId: idOf(dependency.step), when: dependency.when };
    });
    return {
      stepId: idOf(id),
      key: id,
      kind: "user",
      type: step.type,
      description: description ?? describe(step),
      config,
      join: joinCount(join),
      dependsOn,
      references: references([...sourcesIn(config), ...(conditionsFrom.get(id) ?? [])], id),
      rank: options.rankOf(id),
      pool: pool ?? options.pool,
      timeoutMs: timeout_ms ?? defaultTimeoutMs[step.type] ?? 600_000,
      retry: { ...options.retry, ...retry },
      onExhausted: on_exhausted ?? "fail",
    };
  });
}

/** The steps a map expands into: one per value, keyed `<map>[<index>]`. */
export function layOutItems(
  map: {
    readonly stepId: string;
    readonly key: string;
    readonly rank: number;
    readonly pool: string;
    readonly retry: RetryPolicySpec;
  },
  spec: ItemStep,
  values: readonly unknown[],
  newId: () => string,
): NewStep[] {
  const { description, retry, timeout_ms, on_exhausted, pool, ...config } = spec;
  const refs = references(sourcesIn(config), map.key);
  return values.map((value, index) => ({
    stepId: newId(),
    key: `${map.key}[${index}]`,
    kind: "user",
    type: spec.type,
    description: description ?? describe(spec),
    config,
    join: "all",
    dependsOn: [],
    references: refs,
    rank: map.rank,
    pool: pool ?? map.pool,
    timeoutMs: timeout_ms ?? defaultTimeoutMs[spec.type] ?? 600_000,
    retry: { ...map.retry, ...retry },
    onExhausted: on_exhausted ?? "fail",
    item: { parentStepId: map.stepId, index, value },
  }));
}

function sourcesIn(config: unknown): string[] {
  return expressionsIn(config).flatMap(({ source }) => source ?? []);
}

function references(sources: readonly string[], self: string): string[] {
  const names = new Set<string>();
  for (const source of sources) for (const name of referencedSteps(source)) if (name !== self) names.add(name);
  return [...names].sort();
}

function joinCount(join: StepSpec["join"]): "all" | number {
  if (join === undefined || join === "all") return "all";
  return join === "any" ? 1 : join.n;
}

function describe(step: StepSpec | ItemStep): string {
  switch (step.type) {
    case "llm":
      return typeof step.prompt === "string" ? step.prompt.slice(0, 200) : "Reason over earlier outputs";
    case "agent":
      return typeof step.agent === "string"
        ? step.agent
        : `${step.agent.name}: ${step.agent.description}`.slice(0, 200);
    case "tool":
      return `Call ${step.tool}`;
    case "map":
      return "Run one step per item";
    case "checkpoint":
      return "Save a checkpoint";
    case "summarization":
      return "Summarise the context";
  }
}
