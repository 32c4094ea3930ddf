import { BatonError, RetryAfter, TerminalError } from "@baton/core";
import { boundedText } from "@baton/core/retry";

const refusals: ReadonlySet<string> = new Set([
  "tool-input-invalid",
  "address-refused",
  "path-outside-workspace",
  "unknown-tool",
]);

/** What is kept of a failed call. */
export function failureOf(error: unknown): { readonly code: string; readonly message: string } {
  const message = boundedText(error instanceof Error ? error.message : String(error), 2_000);
  return { code: error instanceof BatonError ? error.code : "tool-failed", message };
}

/**
 * The account of a call that definitely did nothing, or nothing when that is not certain. RetryAfter is the
 * callee's own word for "not now".
 */
export function refusalOf(error: unknown): { readonly code: string; readonly message: string } | undefined {
  const isRefusal =
    error instanceof RetryAfter ||
    (error instanceof TerminalError && error.sent === false) ||
    (error instanceof BatonError && (refusals.has(error.code) || error.details["sent"] === false));
  return isRefusal ? failureOf(error) : undefined;
}
