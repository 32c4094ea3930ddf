export { startLoop } from "./loop.ts";
export type { Loop } from "./loop.ts";
export { startHousekeeping } from "./housekeeping.ts";
export type { Housekeeping, HousekeepingOptions, PruneAges } from "./housekeeping.ts";
