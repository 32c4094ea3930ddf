/**
 * Every stable error code with what it means to a caller, in one total map.
 *
 * `status` is the HTTP status of the problem+json answer; `exit` the exit code of the command line
 * (sysexits(3): 64 usage, 65 data, 69 unavailable, 70 internal, 75 try again, 77 permission).
 */
export interface CodeMeaning {
  readonly status: number;
  readonly exit: number;
  readonly title: string;
}

export const errorCodes = {
  "invalid-request": { status: 400, exit: 65, title: "The request is not valid" },
  "invalid-json": { status: 400, exit: 65, title: "The body is not valid JSON" },
  "invalid-plan": { status: 422, exit: 65, title: "The plan is not valid" },
  "invalid-expression": { status: 422, exit: 65, title: "An expression is not valid" },
  "unknown-model": { status: 422, exit: 65, title: "The model is not known" },
  "unknown-agent": { status: 422, exit: 65, title: "The agent is not known" },
  "unknown-tool": { status: 422, exit: 65, title: "The tool is not known" },
  "tool-disabled": { status: 422, exit: 65, title: "The tool is disabled until somebody accepts it" },
  "unknown-mention": { status: 422, exit: 65, title: "A mention names nothing that exists" },
  "unknown-mcp-server": { status: 422, exit: 65, title: "The MCP server is not configured" },
  "payload-too-large": { status: 413, exit: 65, title: "The payload is too large" },
  "nesting-too-deep": { status: 400, exit: 65, title: "The JSON is nested too deeply" },
  "unauthenticated": { status: 401, exit: 77, title: "No valid API key" },
  "forbidden": { status: 403, exit: 77, title: "The API key may not do this" },
  "not-found": { status: 404, exit: 66, title: "Not found" },
  "method-not-allowed": { status: 405, exit: 64, title: "Method not allowed" },
  "unsupported-media-type": { status: 415, exit: 65, title: "Unsupported media type" },
  "illegal-transition": { status: 409, exit: 65, title: "The state does not allow this" },
  "version-conflict": { status: 412, exit: 75, title: "It was changed since it was read" },
  "thread-busy": { status: 409, exit: 75, title: "The thread is busy" },
  "attachment-refused": { status: 422, exit: 65, title: "The attachment cannot be used" },
  "idempotency-key-malformed": { status: 400, exit: 65, title: "The Idempotency-Key is malformed" },
  "idempotency-key-in-flight": { status: 409, exit: 75, title: "The first request with this key is still running" },
  "idempotency-key-reused": { status: 422, exit: 65, title: "The Idempotency-Key was used with another body" },
  "invalid-cursor": { status: 400, exit: 65, title: "The cursor is not valid" },
  "invalid-configuration": { status: 500, exit: 78, title: "The configuration is not valid" },
  "unsafe-role": { status: 500, exit: 78, title: "The database role is not safe" },
  "offline-cannot-plan": { status: 422, exit: 65, title: "The offline model cannot plan this goal" },
  "offline-cannot-answer": { status: 422, exit: 65, title: "The offline model cannot answer this" },
  "planning-failed": { status: 422, exit: 65, title: "No valid plan was found" },
  "gave-up": { status: 422, exit: 65, title: "The goal cannot be reached" },
  "output-invalid": { status: 422, exit: 65, title: "The model's output does not match the schema" },
  "output-cut": { status: 502, exit: 75, title: "The model's output was cut off" },
  "context-too-large": { status: 422, exit: 65, title: "The context does not fit the window" },
  "model-refused": { status: 422, exit: 65, title: "The model refused" },
  "provider-rate-limited": { status: 503, exit: 75, title: "The model provider limits the rate" },
  "provider-throttled": { status: 503, exit: 75, title: "Calls to the model provider wait for its limits" },
  "provider-open": { status: 503, exit: 75, title: "The model provider is away, and calls to it wait" },
  "provider-spend-limit": { status: 503, exit: 69, title: "The model provider's spending limit is reached" },
  "provider-unavailable": { status: 503, exit: 75, title: "The model provider is not available" },
  "provider-rejected": { status: 502, exit: 65, title: "The model provider rejected the request" },
  "provider-auth": { status: 502, exit: 77, title: "The model provider rejected the credentials" },
  "tool-failed": { status: 502, exit: 70, title: "A tool failed" },
  "tool-input-invalid": { status: 422, exit: 65, title: "A tool's input is not valid" },
  "tool-output-invalid": { status: 502, exit: 70, title: "A tool's output is not valid" },
  "path-outside-workspace": { status: 422, exit: 65, title: "The path leaves the workspace" },
  "address-refused": { status: 422, exit: 65, title: "The address is not allowed" },
  "effect-mismatch": { status: 409, exit: 65, title: "Other arguments under the same idempotency key" },
  "effect-unknown": { status: 409, exit: 65, title: "It is not known whether the effect happened" },
  "lease-lost": { status: 409, exit: 75, title: "The attempt is no longer the current one" },
  "worker-crash": { status: 500, exit: 70, title: "The worker died while performing the step" },
  "worker-disabled": { status: 503, exit: 75, title: "The task worker is disabled" },
  "deadline-exceeded": { status: 504, exit: 75, title: "The deadline passed" },
  "approval-rejected": { status: 422, exit: 65, title: "A person rejected the call" },
  "approval-expired": { status: 422, exit: 75, title: "Nobody answered in time" },
  "agent-stopped": { status: 422, exit: 65, title: "The agent reached a limit of its own" },
  "budget-exceeded": { status: 422, exit: 65, title: "The budget does not allow this" },
  "token-limit": { status: 422, exit: 65, title: "The task's token limit is reached" },
  "cancelled": { status: 409, exit: 65, title: "Cancelled" },
  "store-unavailable": { status: 503, exit: 75, title: "The database is not available" },
  "queue-unavailable": { status: 503, exit: 75, title: "The queue is not available" },
  "embedded-failed": { status: 500, exit: 69, title: "The private PostgreSQL could not start" },
  "internal": { status: 500, exit: 70, title: "Internal error" },
} as const satisfies Record<string, CodeMeaning>;

export type ErrorCode = keyof typeof errorCodes;
