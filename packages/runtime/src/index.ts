export { keepHeapSmall } from "./heap.ts";
export { isIsolatedProcess, performIsolated } from "./isolation/child.ts";
export type { IsolatedOptions } from "./isolation/child.ts";
export { openRuntime } from "./runtime.ts";
export type { FailPoints, PoolSlots, Runtime, RuntimeOptions } from "./runtime.ts";
export { startLives } from "./lives.ts";
export type { Lives, LivesOptions, PoolConsumer } from "./lives.ts";
