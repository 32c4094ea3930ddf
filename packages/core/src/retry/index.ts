export { findUnstorable, jsonDepth } from "../json/storable.ts";
export { boundedText, wellFormed } from "../json/text.ts";
export { classifyError, shouldRetry } from "./classification.ts";
export type { ErrorCause, ErrorClassification } from "./classification.ts";
export { fallsBackOn, isFallBackCode } from "./model-failures.ts";
export { errorOutcomes, outcomeOfCode } from "./outcome.ts";
export type { ErrorOutcome } from "./outcome.ts";
export { defaultRetryPolicy, maxRetryAfterMs, nextDelayMs, resolveRetryPolicy } from "./policy.ts";
export type { RetryPolicy } from "./policy.ts";
