/**
 * The event catalogue: every trace row that Baton writes, as one zod union.
 *
 * 1. Append-only and versionless: a released event keeps its shape; what is new is optional.
 * 2. Outputs stand in it by reference or as a preview of at most 500 characters.
 * 3. The events marked "moves" are enough for `reduce` to rebuild the rows.
 */
import { z } from "zod";
import { agentStops } from "../agent/loop.ts";
import { questionKinds, questionStates } from "../questions/question.ts";
import { budgetKinds, budgetScopes } from "../budget/caps.ts";
import { stepKinds, taskStates } from "../lifecycle/states.ts";

const id = z.string();
const keysOf = <T extends Record<string, unknown>>(record: T) => Object.keys(record) as [keyof T & string];
const taskState = z.enum(keysOf(taskStates));
const error = z.object({
  code: z.string(),
  message: z.string(),
  causes: z.array(z.object({ code: z.string().optional(), name: z.string(), message: z.string() })).optional(),
});
const model = z.object({ provider: z.string(), model: z.string() });
const breach = {
  scope: z.enum(budgetScopes),
  kind: z.enum(budgetKinds),
  cap: z.number(),
  settled: z.number(),
  reserved: z.number(),
};
const effectCall = { callNo: z.number(), tool: z.string(), effect: z.string(), idempotencyKey: z.string() };

const asked = z.object({
  questionId: id,
  callNo: z.number(),
  kind: z.enum(questionKinds),
  /** Of a call that waits for approval. */
  tool: z.string().optional(),
  effect: z.string().optional(),
  /** Of a question. */
  text: z.string().optional(),
  expiresAt: z.number().optional(),
});

const child = { childTaskId: id, callNo: z.number(), agent: z.string() };

export const addedStep = z.object({
  stepId: id,
  key: z.string(),
  kind: z.enum(stepKinds),
  type: z.string(),
  description: z.string(),
  join: z.union([z.literal("all"), z.number()]),
  dependsOn: z.array(id),
  onExhausted: z.enum(["fail", "hold"]),
  /** The map step this is an item of. */
  parentStepId: id.optional(),
  itemIndex: z.number().optional(),
});
export type AddedStep = z.infer<typeof addedStep>;

const event = <T extends string, S extends z.ZodRawShape>(type: T, data: S) =>
  z.object({ type: z.literal(type), data: z.object(data) });

export const catalogue = z.discriminatedUnion("type", [
  // moves
  event("task-created", {
    kind: z.enum(["goal", "plan", "reply"]),
    goal: z.string(),
    originTaskId: id.optional(),
    parentTaskId: id.optional(),
  }),
  event("steps-added", {
    steps: z.array(addedStep),
    reason: z.enum(["created", "planned", "revised", "expanded", "deferred", "evaluation"]),
  }),
  event("step-started", { sessionId: id, worker: z.string(), continued: z.boolean() }),
  event("step-completed", {
    deadEdges: z.array(id),
    sizeBytes: z.number(),
    preview: z.string(),
    blobId: id.optional(),
  }),
  event("step-retry-scheduled", { error, delayMs: z.number(), failureCount: z.number() }),
  event("step-failed", {
    error,
    failureCount: z.number(),
    crashCount: z.number(),
    /** A person has to decide, whatever the step's policy is. */
    held: z.boolean().optional(),
  }),
  event("step-released", { reason: z.string(), delayMs: z.number().optional(), error: error.optional() }),
  event("step-crashed", { sessionId: id, crashCount: z.number(), error: error.optional() }),
  event("step-expanded", { itemCount: z.number(), concurrency: z.number() }),
  event("step-deferred", { onStepIds: z.array(id) }),
  /** It waits for people, and for tasks that it started. */
  event("step-asked", { questions: z.array(asked), children: z.array(z.object(child)).optional() }),
  event("step-woken", {}),
  event("step-skipped", {}),
  event("step-reopened", { by: z.string().optional(), reason: z.string().optional() }),
  event("step-resolved", {
    state: z.enum(["completed", "skipped"]),
    by: z.string().optional(),
    reason: z.string().optional(),
    deadEdges: z.array(id).optional(),
    sizeBytes: z.number().optional(),
    preview: z.string().optional(),
    blobId: id.optional(),
  }),
  event("task-paused", { by: z.string().optional(), reason: z.string().optional() }),
  event("task-resumed", { by: z.string().optional(), reason: z.string().optional() }),
  event("task-cancelled", { by: z.string().optional(), reason: z.string().optional() }),
  event("task-state-changed", { from: taskState, to: taskState }),
  // accounts
  event("attempt-isolated", { pid: z.number(), crashCount: z.number() }),
  event("step-redispatched", { dispatchNo: z.number() }),
  event("orchestration-decided", {
    orchestrate: z.boolean(),
    confidence: z.number(),
    reasons: z.array(z.string()),
    offline: z.boolean(),
    rule: z.string().optional(),
  }),
  event("plan-decomposed", {
    model,
    offline: z.boolean(),
    stepCount: z.number(),
    repairs: z.number(),
    estimatedDurationMs: z.number(),
  }),
  event("plan-rejected", { problems: z.array(z.string()), repair: z.number() }),
  event("progress-evaluated", {
    verdict: z.enum(["done", "revise", "give-up"]),
    reason: z.string(),
    offline: z.boolean(),
  }),
  event("context-summarised", { tokensBefore: z.number(), tokensAfter: z.number(), offline: z.boolean() }),
  /** An agent's prompt leaves out results of so many of its oldest turns, and so many of them whole. */
  event("context-compacted", {
    turn: z.number(),
    results: z.number(),
    turns: z.number(),
    tokensBefore: z.number(),
    tokensAfter: z.number(),
  }),
  event("output-rejected", { problems: z.array(z.string()), repair: z.number() }),
  event("model-called", {
    purpose: z.string(),
    model,
    offline: z.boolean(),
    inputTokens: z.number(),
    outputTokens: z.number(),
    estimated: z.boolean(),
    costUsd: z.number().nullable(),
    durationMs: z.number(),
    /** Of the input: read from the provider's cache, and written to it. */
    cachedInputTokens: z.number().optional(),
    cacheWriteTokens: z.number().optional(),
    /** Tokens above what its budgets had reserved for it: the input was counted too low. */
    overrunTokens: z.number().optional(),
  }),
  /** A model was not to be had for a call, and the next of its chain is asked. */
  event("model-fallback", { purpose: z.string(), from: model, to: model, code: z.string(), message: z.string() }),
  // Budgets: never one per call.
  event("budget-exceeded", { ...breach, needed: z.number() }),
  event("budget-model-switched", { ...breach, from: model, to: model }),
  event("budget-changed", {
    caps: z.record(z.string(), z.number()),
    by: z.string().optional(),
    reason: z.string().optional(),
  }),
  /** The process that made a call to a model died with it: what it answered, and cost, is not known. */
  event("model-call-lost", { callNo: z.number(), model, attemptNo: z.number() }),
  event("agent-stopped", { reason: z.enum(agentStops), turns: z.number() }),
  event("tool-refused", { callNo: z.number().optional(), tool: z.string(), code: z.string(), message: z.string() }),
  event("tool-called", { tool: z.string(), effect: z.string(), durationMs: z.number(), replayed: z.boolean() }),
  // A call in doubt: what it is, what is known later, and who said so.
  event("effect-unknown", { ...effectCall, message: z.string() }),
  event("effect-reconciled", { ...effectCall, outcome: z.enum(["done", "not-done", "unknown"]) }),
  event("effect-repeated", effectCall),
  event("effect-late", { ...effectCall, state: z.enum(["succeeded", "refused"]) }),
  event("effect-resolved", {
    ...effectCall,
    outcome: z.enum(["succeeded", "not-done"]),
    by: z.string().optional(),
    reason: z.string().optional(),
  }),
  event("child-ended", { ...child, state: z.enum(["completed", "failed", "cancelled"]) }),
  event("question-voted", {
    questionId: id,
    callNo: z.number(),
    by: z.string().optional(),
    votes: z.number(),
    quorum: z.number(),
  }),
  event("question-closed", {
    questionId: id,
    callNo: z.number(),
    kind: z.enum(questionKinds),
    state: z.enum(questionStates),
    by: z.string().optional(),
    reason: z.string().optional(),
    /** The call is to be made with other arguments than the step wanted. */
    edited: z.boolean().optional(),
  }),
  event("artifact-saved", { artifactId: id, name: z.string(), mediaType: z.string(), sizeBytes: z.number() }),
  event("checkpoint-saved", { checkpointId: id, stepCount: z.number() }),
  /** Somebody said something into the running task; the next look at its progress revises the plan by it. */
  event("goal-amended", { message: z.string(), by: z.string().optional() }),
  event("note", { message: z.string() }),
]);
export type BatonEvent = z.infer<typeof catalogue>;
export type BatonEventType = BatonEvent["type"];

/** A stored trace row. */
export interface TraceRow {
  readonly no: number;
  readonly type: string;
  readonly stepId: string | undefined;
  readonly attemptNo: number | undefined;
  readonly data: Readonly<Record<string, unknown>>;
  /** Unix ms. */
  readonly createdAt: number;
}
