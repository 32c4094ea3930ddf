/**
 * A worker as users compose it, with the fail-point port filled: at the moments that CHAOS_FAIL_POINTS names,
 * the process kills or stops itself.
 */
import { flushCompileCache } from "node:module";
import { createWorker } from "@baton/worker";
import { failPointsOf } from "./fail-points.ts";

const failPoint = failPointsOf(process.env["CHAOS_FAIL_POINTS"]);
await createWorker(failPoint === undefined ? {} : { failPoint });
// Otherwise Node writes it at an orderly exit, which is not how these processes end.
flushCompileCache();
