export { addedStep, catalogue } from "./catalogue.ts";
export type { AddedStep, BatonEvent, BatonEventType, TraceRow } from "./catalogue.ts";
