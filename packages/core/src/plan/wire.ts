import type { NewStep } from "../ports/store.ts";

/** A step as `baton_v1.add_steps` reads it. */
export function stepToWire(step: NewStep): Record<string, unknown> {
  return {
    id: step.stepId,
    key: step.key,
    kind: step.kind,
    type: step.type,
    description: step.description,
    config: step.config,
    join_n: step.join === "all" ? null : step.join,
    refs: step.references,
    rank: Math.round(step.rank),
    pool: step.pool,
    timeout_ms: step.timeoutMs,
    retry: step.retry,
    on_exhausted: step.onExhausted,
    parent: step.item?.parentStepId ?? null,
    item_index: step.item?.index ?? null,
    item: step.item?.value ?? null,
    deps: step.dependsOn.map((edge) => ({ step: edge.fromStepId, condition: edge.when ?? null })),
  };
}
