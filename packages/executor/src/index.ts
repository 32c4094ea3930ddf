export { createExecutor } from "./executor.ts";
export type { Executor, ExecutorOptions, Performers } from "./executor.ts";
export type { AttemptReport } from "./attempt/running.ts";
export { createStepPerformers } from "./steps/performers.ts";
export { createLateCalls } from "./steps/tool/late.ts";
export type { LateCall, LateCalls } from "./steps/tool/late.ts";
export { judgeEdges, shownConfig } from "./pipeline/scope.ts";
export type { ExpressedStep, OutputReader, ShownConfig } from "./pipeline/scope.ts";
