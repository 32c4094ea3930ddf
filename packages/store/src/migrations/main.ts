/** Migration as a program: brings DATABASE_URL to this version and says so in one line. */
import { BatonError, errorCodes } from "@baton/core";
import { migrate } from "./migrate.ts";

const url = process.env["DATABASE_URL"] ?? "";
try {
  if (url === "") {
    throw new BatonError("invalid-configuration", "DATABASE_URL is not set: name the PostgreSQL to migrate.");
  }
  const { changed } = await migrate(url);
  console.log(changed ? "The database was brought to this version." : "The database is at this version.");
} catch (error) {
  console.error(error instanceof BatonError ? error.message : error);
  process.exit(error instanceof BatonError ? errorCodes[error.code].exit : 70);
}
