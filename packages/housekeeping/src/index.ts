export { startHousekeeping } from "./housekeeping.ts";
export type { Housekeeping, HousekeepingOptions, PruneAges } from "./housekeeping.ts";
