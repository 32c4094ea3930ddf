/** Every case, in the order in which the long tier runs them. */
import type { ChaosCase } from "../harness/case.ts";
import { kill } from "./kill.ts";

export const cases: readonly ChaosCase[] = [kill] as readonly ChaosCase[];
