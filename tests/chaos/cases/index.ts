/** Every case, in the order in which the long tier runs them. */
import type { ChaosCase } from "../harness/case.ts";
import { allDie } from "./all-die.ts";
import { kill } from "./kill.ts";
import { killPoint } from "./kill-point.ts";
import { zombie } from "./zombie.ts";

export const cases: readonly ChaosCase[] = [kill, killPoint, allDie, zombie] as readonly ChaosCase[];
