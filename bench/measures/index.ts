/** The measures, in the order in which they run. */
import { chain } from "./chain.ts";
import type { Measure } from "./measure.ts";

export const measures: readonly Measure[] = [chain];
