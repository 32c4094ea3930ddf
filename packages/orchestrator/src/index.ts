/**
 * The orchestrator: what a model decides about a task.
 *
 * Purpose: whether a message becomes a task, the plan of a goal, whether the goal is reached, and a context
 * in fewer words. Boundary: it decides; who claims, performs and settles is the executor and the store.
 *
 * 1. A decision is a structured answer that was validated, or an error that names what was wrong with it.
 * 2. Every decision comes with the trace rows that record it, labelled offline when no language model took part.
 * 3. Nothing here repeats a call that a provider failed; only an answer that will not do is asked for again.
 */
export { summarizeContext } from "./context/summarize.ts";
export type { SummarizedContext } from "./context/summarize.ts";
export { shouldOrchestrate } from "./decision/decide.ts";
export type { Decision } from "./decision/decide.ts";
export type { ModelOptions } from "./model/access.ts";
export { TaskOrchestrator } from "./orchestrator.ts";
export type { TaskOrchestratorOptions } from "./orchestrator.ts";
export { reservedIds } from "./performers/attempt.ts";
export { createPerformers } from "./performers/performers.ts";
export { decomposeGoal } from "./plan/decompose.ts";
export type { DecomposedGoal } from "./plan/decompose.ts";
export { evaluateProgress } from "./progress/evaluate.ts";
export type { ProgressEvaluation, TaskProgress } from "./progress/evaluate.ts";
