export { modelRef } from "./model-ref.ts";
export type { ModelRef } from "./model-ref.ts";
export { defaultTimeoutMs, layOutItems, layOutPlan } from "./layout.ts";
export type { LayoutOptions } from "./layout.ts";
export { interactivePool, plannedPool } from "./pools.ts";
export { estimatedDurationMs, schedulePlan } from "./schedule.ts";
export type { Schedule, ScheduleOptions } from "./schedule.ts";
export {
  celExpression,
  dependency,
  itemStep,
  joinRule,
  planSpec,
  retryPolicy,
  stepId,
  stepSpec,
} from "./spec.ts";
export type { CelExpression, ItemStep, JoinRule, PlanSpec, RetryPolicySpec, StepSpec } from "./spec.ts";
export { stepToWire } from "./wire.ts";
