/**
 * The wire: every shape that crosses HTTP.
 *
 * Purpose: one zod schema per body, query, event and error; the route table; OpenAPI from it.
 * Boundary: no I/O and no knowledge of rows; apps/api maps rows to these shapes.
 */
export { routes } from "./routes/table.ts";
export type { OperationId, RouteAnswer, RouteInput, RouteOutput, RouteParsed, Routes } from "./routes/table.ts";
export type { RouteShape } from "./routes/shape.ts";
export { openApiDocument } from "./openapi/document.ts";
export { exitCodeOf, problem } from "./wire/problem.ts";
export type { Problem } from "./wire/problem.ts";
export { bodyLimits, isIdempotencyKey, requireStorable, validate } from "./wire/validation.ts";
export type { Place } from "./wire/validation.ts";
export type { Scope } from "./wire/scalars.ts";
export { statusOfStep, statusOfTask } from "./wire/statuses.ts";
export type { DeadLetter, DeadLetterDetails, DeadLetterGroup } from "./wire/dead-letter.ts";
export type { TaskBudget, TenantBudget, Usage } from "./wire/budget.ts";
export type { TaskEffect } from "./wire/effect.ts";
export type { McpTool } from "./wire/mcp.ts";
export type { EvaluatedDecision, EvaluatedPlan } from "./wire/evaluation.ts";
export type { Question } from "./wire/question.ts";
export type { Artifact, Step, Task } from "./wire/task.ts";
export type { Trace, TraceStreamEvent } from "./wire/trace.ts";
export { taskPart } from "./wire/chat.ts";
export type { ChatBody, Mention, Orchestration, TaskPart } from "./wire/chat.ts";
