/** The worker as a program: everything comes from the configuration. */
import { flushCompileCache } from "node:module";
import { BatonError, errorCodes } from "@baton/core";
import { createWorker } from "./worker.ts";

try {
  await createWorker();
  // Where NODE_COMPILE_CACHE names a folder: a process that is killed would leave nothing in it.
  flushCompileCache();
} catch (error) {
  console.error(error instanceof BatonError ? `${error.code}: ${error.message}` : error);
  process.exit(error instanceof BatonError ? errorCodes[error.code].exit : 70);
}
