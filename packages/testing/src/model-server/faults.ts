/** Faults that are a whole HTTP answer by themselves, in both vendors' error shapes. */
import type { Fault, Wire } from "./script.ts";

export interface FaultAnswer {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly message: string;
  readonly headers: Record<string, string>;
}

export function faultAnswer(fault: Fault, wire: Wire): FaultAnswer | undefined {
  const answer = (status: number, type: string, message: string, code: string | null = null): FaultAnswer => ({
    status,
    type,
    code,
    message,
    headers: {},
  });
  switch (fault.kind) {
    case "rate-limit":
      return {
        ...answer(429, "rate_limit_error", "This request would exceed the rate limit.", "rate_limit_exceeded"),
        headers: fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter },
      };
    case "overloaded":
      return answer(529, "overloaded_error", "Overloaded");
    case "server-error":
      return answer(500, wire === "anthropic" ? "api_error" : "server_error", "Internal server error");
    case "spend-limit":
      return wire === "anthropic"
        ? answer(429, "rate_limit_error", "You have reached your specified API usage limits.")
        : answer(429, "insufficient_quota", "You exceeded your current quota.", "insufficient_quota");
    case "unauthorized":
      return answer(401, "authentication_error", "invalid x-api-key", "invalid_api_key");
    case "bad-request":
      return answer(400, "invalid_request_error", fault.message ?? "messages: at least one message is required");
    case "context-too-long":
      return wire === "anthropic"
        ? answer(400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum")
        : answer(
            400,
            "invalid_request_error",
            "This model's maximum context length is 8192 tokens, however you requested 9000 tokens.",
            "context_length_exceeded",
          );
    default:
      return undefined;
  }
}

export function errorBody(wire: Wire, type: string, message: string, code: string | null = null): unknown {
  return wire === "anthropic"
    ? { type: "error", error: { type, message }, request_id: "req_scripted" }
    : { error: { message, type, param: null, code } };
}
