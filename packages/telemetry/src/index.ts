export { watchLoopLag } from "./loop-lag.ts";
export type { LoopLag } from "./loop-lag.ts";
export { createLog } from "./log.ts";
export type { LogLevel, LogOptions } from "./log.ts";
export { createMeter, prometheusContentType } from "./meter.ts";
export type { PrometheusMeter } from "./meter.ts";
export { metrics } from "./names.ts";
