/** The api as users run it, with the fail-point port filled as CHAOS_FAIL_POINTS says. */
import { startApi } from "@baton/api";
import { failPointsOf } from "./fail-points.ts";

const failPoint = failPointsOf(process.env["CHAOS_FAIL_POINTS"]);
await startApi({ folder: process.cwd(), env: process.env, ...(failPoint !== undefined && { failPoint }) });
