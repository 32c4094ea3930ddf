/**
 * What an error of the driver means to a verb.
 * Source: PostgreSQL errcodes appendix; pg reports network trouble with Node's own codes.
 */
import { BatonError } from "@baton/core";

export type DatabaseErrorClass = "data" | "transient" | "other";

const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
]);

export function classifyDatabaseError(error: unknown): DatabaseErrorClass {
  if (!(error instanceof Error)) return "other";
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") {
    // BT003: one of ours, an idempotency key that was lost; it concerns one item of a flush as well.
    if (/^(22|23)/.test(code) || code === "BT003") return "data";
    if (
      code === "40001" ||
      code === "40P01" ||
      code === "55P03" ||
      code.startsWith("08") ||
      code.startsWith("57P0") ||
      code === "53300" ||
      code === "25P03"
    )
      return "transient";
    if (networkCodes.has(code)) return "transient";
    if (code === "XX000" && /^(cache lookup failed|could not open relation with OID)/.test(error.message))
      return "transient";
    if (isWithoutVerb(error)) return "transient";
  }
  if (error instanceof AggregateError && error.errors.some((each) => classifyDatabaseError(each) === "transient"))
    return "transient";
  // drizzle wraps the driver's error.
  if (error.cause instanceof Error) return classifyDatabaseError(error.cause);
  return isSilence(error) || unanswered.test(error.message) ? "transient" : "other";
}

/** undefined_function, undefined_object, invalid_schema_name. */
const codesOfMissing = new Set(["42883", "42704", "3F000"]);

/**
 * True when a verb is missing: they are installed anew between a statement's planning and its end, and are there when it
 * is repeated; or the database is of another version.
 */
function isWithoutVerb(error: Error): boolean {
  return codesOfMissing.has(String((error as { code?: unknown }).code)) && /\bbaton_v\d+\b/.test(error.message);
}

/** What pg says without a code: the connection broke, none could be had, or none was free in time. */
const unanswered =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Client has encountered a connection error/i;

/** True when a statement was sent and nothing came back in time: the connection may be dead, or the statement slow. */
export function isSilence(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message === "Query read timeout" || isSilence(error.cause);
}

/** The error a caller outside the store sees. */
export function toStoreError(error: unknown): unknown {
  if (error instanceof BatonError) return error;
  if (error instanceof Error && isWithoutVerb(error)) {
    return new BatonError(
      "store-unavailable",
      `The database is being brought to another version (${error.message}); try again. If this stays, run "npm run db:migrate".`,
      { cause: error },
    );
  }
  if (classifyDatabaseError(error) === "transient") {
    return new BatonError("store-unavailable", "PostgreSQL does not answer; try again.", { cause: error });
  }
  return error;
}
