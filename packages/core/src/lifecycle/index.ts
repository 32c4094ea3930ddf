export { edgeVerdicts, stepKinds, stepStates, taskIntents, taskStates } from "./states.ts";
export type { EdgeVerdict, StateClass, StepKind, StepState, TaskIntent, TaskState } from "./states.ts";
export { stepEvents, stepTable, stepTargets } from "./step-table.ts";
export type { StepEvent, StepTransition } from "./step-table.ts";
export { bucketOf, buckets, openCount, taskState } from "./task-state.ts";
export type { Bucket, BucketedStep, TaskCounters } from "./task-state.ts";
export { legalTaskMoves, taskEvents, taskTable, workingStates } from "./task-table.ts";
export type { TaskEvent, TaskTransitions } from "./task-table.ts";
