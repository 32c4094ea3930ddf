/** The worker as a program: everything comes from the configuration. */
import { BatonError, errorCodes } from "@baton/core";
import { createWorker } from "./worker.ts";

try {
  await createWorker();
} catch (error) {
  console.error(error instanceof BatonError ? `${error.code}: ${error.message}` : error);
  process.exit(error instanceof BatonError ? errorCodes[error.code].exit : 70);
}
