/** The one shape of every error: problem+json (RFC 9457) with a stable code. */
import { errorCodes } from "@baton/core";
import type { ErrorCode } from "@baton/core";
import { z } from "zod";

const codes = Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]];

const problemField = z.strictObject({
  in: z.enum(["body", "query", "path", "header"]),
  pointer: z.string().meta({ description: "RFC 6901 pointer into the body, or `/name` of the parameter." }),
  detail: z.string(),
});

export const problem = z.strictObject({
  type: z.string().meta({ description: "`urn:baton:error:` and the code." }),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(codes).meta({ description: "Stable once released." }),
  requestId: z.string(),
  errors: z.array(problemField),
  taskId: z.string().optional().meta({ description: "Set when the request did create a task." }),
});
export type Problem = z.infer<typeof problem>;

/** What the command line ends with for a code; 70 (internal) for one it does not know. */
export function exitCodeOf(code: string): number {
  return Object.hasOwn(errorCodes, code) ? errorCodes[code as ErrorCode].exit : errorCodes.internal.exit;
}
