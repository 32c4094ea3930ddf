export { queueConformance } from "./queue.ts";
export type { QueueHarness } from "./queue.ts";
