/**
 * A worker as users compose it, with the fail-point port filled: at the moments that CHAOS_FAIL_POINTS names,
 * the process kills or stops itself.
 */
import { createWorker } from "@baton/worker";
import { failPointsOf } from "./fail-points.ts";

const failPoint = failPointsOf(process.env["CHAOS_FAIL_POINTS"]);
await createWorker(failPoint === undefined ? {} : { failPoint });
