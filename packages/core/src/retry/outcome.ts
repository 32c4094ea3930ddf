import type { ErrorCode } from "../errors/codes.ts";

/** What an error means for the attempt that met it. */
export const errorOutcomes = ["retry", "wait", "fail", "hold", "suspend", "aborted"] as const;
export type ErrorOutcome = (typeof errorOutcomes)[number];

/**
 * Every system code with what it means for the attempt.
 *
 * `retry`: the same input may succeed later. `wait`: nothing was tried yet, so no failure counts. `fail`: it cannot. `hold`: repeating could repeat an effect, so a person
 * decides, whatever the step's policy is.
 * `aborted`: somebody else has decided about the attempt already; it settles nothing and counts nothing.
 */
export const outcomeOfCode = {
  "invalid-request": "fail",
  "invalid-json": "fail",
  "invalid-plan": "fail",
  "invalid-expression": "fail",
  "unknown-model": "fail",
  "unknown-agent": "fail",
  "unknown-tool": "fail",
  "tool-disabled": "fail",
  "unknown-mention": "fail",
  "unknown-mcp-server": "fail",
  "payload-too-large": "fail",
  "nesting-too-deep": "fail",
  "unauthenticated": "fail",
  "forbidden": "fail",
  "not-found": "fail",
  "method-not-allowed": "fail",
  "unsupported-media-type": "fail",
  "illegal-transition": "fail",
  "version-conflict": "fail",
  "thread-busy": "fail",
  "attachment-refused": "fail",
  "idempotency-key-malformed": "fail",
  "idempotency-key-in-flight": "retry",
  "idempotency-key-reused": "fail",
  "invalid-cursor": "fail",
  "invalid-configuration": "fail",
  "unsafe-role": "fail",
  "offline-cannot-plan": "fail",
  "offline-cannot-answer": "fail",
  "planning-failed": "fail",
  "gave-up": "fail",
  "output-invalid": "fail",
  "output-cut": "retry",
  "context-too-large": "fail",
  "model-refused": "fail",
  "provider-rate-limited": "retry",
  "provider-unavailable": "retry",
  "provider-throttled": "wait",
  "provider-open": "wait",
  "provider-rejected": "fail",
  "provider-spend-limit": "fail",
  "provider-auth": "fail",
  "tool-failed": "retry",
  "tool-input-invalid": "fail",
  "tool-output-invalid": "fail",
  "path-outside-workspace": "fail",
  "address-refused": "fail",
  "effect-mismatch": "hold",
  "effect-unknown": "hold",
  "lease-lost": "aborted",
  "worker-crash": "retry",
  "worker-disabled": "retry",
  "deadline-exceeded": "retry",
  "approval-rejected": "fail",
  "approval-expired": "fail",
  "agent-stopped": "fail",
  "budget-exceeded": "fail",
  "token-limit": "fail",
  "cancelled": "aborted",
  "store-unavailable": "retry",
  "queue-unavailable": "retry",
  "embedded-failed": "retry",
  "internal": "retry",
} as const satisfies Record<ErrorCode, ErrorOutcome>;
