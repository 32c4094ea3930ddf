/** The api as a program: everything comes from the configuration. */
import { BatonError, errorCodes } from "@baton/core";
import { startApi } from "./process.ts";

try {
  await startApi({ folder: process.cwd(), env: process.env });
} catch (error) {
  console.error(error instanceof BatonError ? `${error.code}: ${error.message}` : error);
  process.exit(error instanceof BatonError ? errorCodes[error.code].exit : 70);
}
