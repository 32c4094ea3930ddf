/** Errors as problem+json (RFC 9457). An error without a code of ours is `internal` and says nothing of its inside. */
import { BatonError, errorCodes } from "@baton/core";
import type { Place, Problem } from "@baton/contracts";
import { boundedText } from "@baton/core/json";

const secondsToWait = "2";

export function problemOf(error: unknown, requestId: string): Problem {
  const shown = error instanceof BatonError && errorCodes[error.code].status !== 500 ? error : undefined;
  const code = shown?.code ?? "internal";
  const { status, title } = errorCodes[code];
  const place = (shown?.details["in"] as Place | undefined) ?? "body";
  const taskId = shown?.details["taskId"];
  return {
    type: `urn:baton:error:${code}`,
    title,
    status,
    detail:
      shown === undefined
        ? "Something went wrong on our side; the log has it under this requestId."
        : boundedText(shown.message, 2_000),
    code,
    requestId,
    errors: (shown?.problems ?? []).map(({ pointer, detail }) => ({ in: place, pointer, detail })),
    ...(typeof taskId === "string" ? { taskId } : {}),
  };
}

export function problemResponse(problem: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  const extra: Record<string, string> = {};
  if (problem.status === 503) extra["retry-after"] = secondsToWait;
  if (problem.status === 401) extra["www-authenticate"] = "Bearer";
  // What is left of an unread body must not be taken for the next request.
  if (problem.status === 413) extra["connection"] = "close";
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": "application/problem+json", ...extra, ...headers },
  });
}
