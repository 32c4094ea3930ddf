export { criticalPath, estimateDuration } from "./duration.ts";
export type { CriticalPath, WeightOf } from "./duration.ts";
export { buildGraph, neighbours } from "./graph.ts";
export type { Adjacency, Edges, PlanGraph } from "./graph.ts";
export { topologicalLevels } from "./order.ts";
export { planProblemCodes } from "./problem.ts";
export type { PlanProblem, PlanProblemCode } from "./problem.ts";
export { validatePlan } from "./validation.ts";
export type { PlanLimits } from "./validation.ts";
