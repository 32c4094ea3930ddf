export { BatonError, RetryAfter, Suspend, TerminalError } from "./errors/errors.ts";
export type { BatonErrorOptions, FieldProblem } from "./errors/errors.ts";
export { errorCodes } from "./errors/codes.ts";
export type { CodeMeaning, ErrorCode } from "./errors/codes.ts";
export { defaultTenantId, uuidv7 } from "./ids.ts";
export type { StepRef, TaskRef } from "./ids.ts";
