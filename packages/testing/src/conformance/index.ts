export { liveConformance } from "./live.ts";
export type { LiveHarness } from "./live.ts";
export { stoppableRedis } from "./outage.ts";
export type { StoppableServer } from "./outage.ts";
export { queueConformance } from "./queue.ts";
export type { QueueHarness } from "./queue.ts";
