export { addedStep, catalogue } from "./catalogue.ts";
export type { AddedStep, BatonEvent, BatonEventType, TraceRow } from "./catalogue.ts";
export { compareWithRows } from "./comparison.ts";
export type { TaskRows } from "./comparison.ts";
export { reduce, reducedCounters } from "./reduce.ts";
export type { ReducedCounter, ReducedCounters, ReducedStep, ReducedTask } from "./reduce.ts";
