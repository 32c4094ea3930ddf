/**
 * The port to the store, as the engine sees it: transitions, not rows.
 *
 * Purpose: claim and settle attempts, keep house, record effects. Boundary: what the API reads and
 * writes besides is the store's own and is not part of this port.
 *
 * 1. Every write of an attempt is fenced by step id, state and attempt number.
 * 2. One verb, one transaction. Calls that arrive while a flush is under way form the next one.
 * 3. Verbs resolve to what happened; they reject only when it is not known (`store-unavailable`).
 */
import type { StepRef, TaskRef } from "../ids.ts";
import type { StepKind, StepState } from "../lifecycle/states.ts";
import type { CelExpression } from "../plan/expression.ts";
import type { RetryPolicySpec } from "../plan/spec.ts";
import type { TaskSettings } from "../task/settings.ts";
import type { ModelRef } from "../plan/model-ref.ts";
import type { BudgetPort } from "./budget.ts";
import type { ArtifactDraft, ArtifactRef, ToolEffect } from "./tool.ts";
import type { AgentNote } from "../agent/memory.ts";
import type { AskedQuestion, NewQuestion } from "../questions/question.ts";
import type { WakeUp } from "./queue.ts";

export const stepTypes = [
  "llm",
  "agent",
  "tool",
  "map",
  "checkpoint",
  "summarization",
  "plan",
  "evaluate",
  "reply",
] as const;
export type StepType = (typeof stepTypes)[number];

/** An edge into a new step. The source may be a step of the same batch or one that exists. */
export interface NewEdge {
  readonly fromStepId: string;
  readonly when?: CelExpression;
}

/** A step to be created, laid out by core/plan. `config` is the step's spec without its place in the graph. */
export interface NewStep {
  readonly stepId: string;
  /** Name and iteration and item, e.g. `summarise`, `summarise[3]`; unique in the task; survives retries. */
  readonly key: string;
  readonly kind: StepKind;
  readonly type: StepType;
  readonly description: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** all = every dependency, any = 1, n = that many. */
  readonly join: "all" | number;
  readonly dependsOn: readonly NewEdge[];
  /** Keys of the steps whose outputs the step's expressions or its outgoing conditions name. */
  readonly references: readonly string[];
  /** Longest remaining path in ms; dispatch order within a task. */
  readonly rank: number;
  readonly pool: string;
  readonly timeoutMs: number;
  readonly retry: RetryPolicySpec;
  readonly onExhausted: "fail" | "hold";
  readonly item?: { readonly parentStepId: string; readonly index: number; readonly value: unknown };
}

/** An output that a step may read: inline, or to be fetched with `readOutput`. */
export interface StepOutput {
  readonly key: string;
  readonly stepId: string;
  readonly description: string;
  readonly state: StepState;
  readonly output?: unknown;
  /** Set instead of `output` when the output is kept by reference. */
  readonly blobId?: string;
  readonly sizeBytes: number;
}

/** A step that this session now performs. */
export interface ClaimedStep {
  readonly ref: StepRef;
  readonly attemptNo: number;
  readonly failureCount: number;
  readonly crashCount: number;
  readonly key: string;
  readonly kind: StepKind;
  readonly type: StepType;
  readonly description: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly retry: RetryPolicySpec;
  readonly timeoutMs: number;
  readonly pool: string;
  readonly rank: number;
  /** Unix ms by the database's clock. */
  readonly startedAt: number;
  /** True for a successor that this session's settle claimed without the queue. */
  readonly continued: boolean;
  /** A map that expanded before and whose items are all settled: collect them. */
  readonly joining: boolean;
  readonly item?: { readonly index: number; readonly value: unknown };
  /** Outputs of the direct dependencies and of `references`. */
  readonly inputs: readonly StepOutput[];
  /** Outgoing edges with a condition, to be judged when the step completes. */
  readonly conditions: readonly { readonly toStepId: string; readonly when: CelExpression }[];
  readonly task: ClaimedTask;
}

export interface ClaimedTask {
  readonly kind: "goal" | "plan" | "reply";
  readonly goal: string;
  readonly input: unknown;
  readonly settings: TaskSettings;
  readonly threadId: string | undefined;
  readonly revisionCount: number;
  /** Unix ms by the database's clock. */
  readonly createdAt: number;
  /** Of a task that a step of another started: the one at the top of its tree. */
  readonly rootTaskId: string | undefined;
  /** How many tasks stand above it. */
  readonly depth: number;
}

/** The task whose budget counts what the step's task does. */
export const rootOf = ({ ref, task }: Pick<ClaimedStep, "ref" | "task">): string => task.rootTaskId ?? ref.taskId;

/** A task as the store creates it. */
export interface NewTask {
  readonly kind: "goal" | "plan" | "reply";
  readonly goal: string;
  readonly input: unknown;
  readonly settings: TaskSettings;
  readonly steps: readonly NewStep[];
  readonly result?: CelExpression;
  readonly estimatedDurationMs?: number;
  readonly threadId?: string;
}

/** A task that a step starts and waits for. */
export interface NewChild {
  readonly childTaskId: string;
  /** The call of the step that it answers. */
  readonly callNo: number;
  readonly agent: string;
  readonly task: NewTask;
}

/** A task that a step has started. */
export interface ChildTask {
  readonly childTaskId: string;
  readonly callNo: number;
  readonly agent: string;
  readonly state: "open" | "completed" | "failed" | "cancelled";
  /** Of its agent, when it has completed. */
  readonly output: StepOutput | undefined;
  /** When it has failed. */
  readonly error: StepError | undefined;
}

export interface StepError {
  readonly code: string;
  readonly message: string;
  readonly causes: readonly { readonly code?: string; readonly name: string; readonly message: string }[];
}

export interface StepUsage {
  readonly model: ModelRef;
  readonly offline: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number | null;
  readonly estimated: boolean;
  readonly calls: number;
}

/** A trace row that the attempt adds; the store numbers it. `type` and `data` are of the event catalogue. */
export interface NewTrace {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type Outcome =
  | {
      readonly outcome: "completed";
      /** JSON text, at most 32 MB; above 64 KB the store keeps it by reference. */
      readonly outputJson: string;
      /** Targets of outgoing edges whose condition is false. */
      readonly deadEdges: readonly string[];
      /** Steps a plan or an evaluation adds to the task. */
      readonly adds?: readonly NewStep[];
      /** Replaces the task's result expression when a plan is adopted. */
      readonly result?: CelExpression;
      readonly estimatedDurationMs?: number;
    }
  | { readonly outcome: "retry-later"; readonly error: StepError; readonly delayMs: number }
  | { readonly outcome: "exhausted"; readonly error: StepError }
  /** A person has to decide, whatever the step's policy is; the rest of the task goes on. */
  | { readonly outcome: "held"; readonly error: StepError }
  /** With a delay it is not ready before that; `error` says what it waits for. */
  | { readonly outcome: "released"; readonly reason: string; readonly delayMs?: number; readonly error?: StepError }
  /** A map: its items become steps; it waits for them. */
  | { readonly outcome: "expanded"; readonly items: readonly NewStep[]; readonly concurrency: number }
  /** The step waits for steps that it adds (a summary of a context that is too large). */
  | { readonly outcome: "deferred"; readonly adds: readonly NewStep[] }
  /** The step waits for people and for tasks that it starts; the last of them that ends wakes it. */
  | { readonly outcome: "asked"; readonly questions: readonly NewQuestion[]; readonly children?: readonly NewChild[] };

export interface Settlement {
  readonly ref: StepRef;
  readonly attemptNo: number;
  readonly outcome: Outcome;
  readonly usage?: StepUsage;
  readonly traces: readonly NewTrace[];
  /** Results of calls that ended with this attempt; kept whatever the answer is. */
  readonly effects?: readonly EffectResult[];
  /** False while draining: no successor is claimed for the freed slot. */
  readonly mayContinue: boolean;
  /** As the step's claim told of its task; without it, a continuation is told of it again. */
  readonly task?: ClaimedTask;
}

/** The process that an attempt had to itself is gone, and no outcome came. */
export interface AttemptCrash {
  readonly ref: StepRef;
  readonly attemptNo: number;
  readonly cause: { readonly name: string; readonly message: string };
  readonly traces: readonly NewTrace[];
}

/** An attempt that is under way in this process. */
export interface AttemptNow {
  readonly ref: StepRef;
  readonly attemptNo: number;
}

export interface SettleAnswer {
  readonly status: "settled" | "already-settled" | "lease-lost";
  readonly continuation?: ClaimedStep;
}

export interface SessionOptions {
  readonly pools: readonly string[];
  readonly slots: number;
  readonly tools: readonly string[];
  readonly version: string;
  readonly role: "worker" | "api";
  readonly beatMs: number;
  readonly leaseMs: number;
}

/** Why running attempts of a task must stop. */
export interface StopSignal {
  readonly taskId: string;
  readonly reason: "cancel" | "pause" | "failed";
}

/** One life of one worker process. */
export interface Session {
  readonly sessionId: string;
  /** Aborted when the lease can no longer be renewed. */
  readonly lost: AbortSignal;
  /** An attempt started or ended: whoever watches over this process's deadlines is told at once. */
  attemptsChanged(): void;
  /** No attempt may be under way any more. */
  close(): Promise<void>;
}

export interface DispatchRequest {
  readonly pool: string;
  /** How many wake-ups the queue may still take. */
  readonly room: number;
  /** Wake-ups waiting in the queue now; fewer than dispatched steps means that some were lost. */
  readonly queueWaiting: number;
}

/** A stored intent of a call to the outside. */
export interface EffectIntent {
  readonly ref: StepRef;
  readonly attemptNo: number;
  readonly callNo: number;
  readonly tool: string;
  readonly effect: ToolEffect;
  readonly argumentsJson: string;
  /** The tool has said that the call in doubt did not take place. */
  readonly knownNotDone?: boolean;
}

/** What is known of a call after it. */
export interface EffectResult {
  readonly callNo: number;
  /** The attempt that made the call or asked after it: a refusal counts only for this one, a success for all. */
  readonly attemptNo: number;
  readonly state: "succeeded" | "refused" | "unknown";
  readonly resultJson: string;
  /** What is written together with the result, when it is the first: of calls that their attempt outlives. */
  readonly account?: CallAccount;
}

export interface CallAccount {
  readonly traces: readonly NewTrace[];
  readonly usage?: StepUsage;
}

/** A call of the step as the ledger has it. */
export interface JournaledCall {
  readonly callNo: number;
  readonly attemptNo: number;
  readonly tool: string;
  readonly state: "intent" | "succeeded" | "refused" | "unknown";
  /** JSON text; undefined while there is no result. */
  readonly resultJson?: string;
  /** Unix ms by the database's clock. */
  readonly createdAt: number;
}

export type EffectStart =
  /** Recorded; call now. */
  | { readonly start: "call"; readonly idempotencyKey: string; readonly earlierUnknown: boolean }
  /** It succeeded on an earlier attempt: its result. */
  | { readonly start: "replay"; readonly resultJson: string }
  | { readonly start: "mismatch" }
  /** An earlier attempt's outcome is unknown and the effect may not be repeated. */
  | { readonly start: "unknown" }
  | { readonly start: "lease-lost" };

export interface EngineStore extends BudgetPort {
  claimStep(wakeUp: WakeUp): Promise<ClaimedStep | undefined>;
  settleAttempt(settlement: Settlement): Promise<SettleAnswer>;
  /** Counts a crash, the third of which is a dead letter. Told twice, the second answer is that it is not current. */
  crashAttempt(crash: AttemptCrash): Promise<{ readonly isCurrent: boolean; readonly isDeadLetter: boolean }>;
  readOutput(ref: TaskRef, blobId: string): Promise<unknown>;
  /** Outputs of a map's items, in the order of the items. */
  itemOutputs(ref: StepRef): AsyncIterable<StepOutput>;
  /** All settled steps of the task, for evaluation and context. */
  settledOutputs(ref: TaskRef): Promise<readonly StepOutput[]>;
  threadMessages(
    ref: TaskRef,
    threadId: string,
  ): Promise<readonly { readonly role: "user" | "assistant"; readonly text: string }[]>;
  saveCheckpoint(
    ref: StepRef,
    attemptNo: number,
  ): Promise<{ readonly checkpointId: string; readonly stepCount: number } | "lease-lost">;
  saveArtifact(ref: StepRef, draft: ArtifactDraft): Promise<ArtifactRef>;
  readArtifact(
    ref: TaskRef,
    artifactId: string,
  ): Promise<{ readonly ref: ArtifactRef; readonly content: Uint8Array } | undefined>;
  startEffect(intent: EffectIntent): Promise<EffectStart>;
  /**
   * Accepted from a zombie too (the first success wins); `late` says that the attempt no longer held its lease. A late
   * result that a held step waits for lets it go on.
   */
  finishEffect(ref: StepRef, result: EffectResult): Promise<{ readonly late: boolean }>;
  /** All calls of the step so far, by their numbers. */
  journal(ref: StepRef): Promise<readonly JournaledCall[]>;
  /** The tasks that the step has started. */
  children(ref: StepRef): Promise<readonly ChildTask[]>;
  /** What the step has asked, the newest question of each call. */
  questions(ref: StepRef): Promise<readonly AskedQuestion[]>;
  /** `source` is the call that stores it: the same one again stores nothing more. */
  storeNote(
    ref: StepRef,
    note: { readonly agent: string; readonly noteId: string; readonly source: string; readonly text: string },
  ): Promise<{ readonly removed: number }>;
  /** The best first. */
  searchNotes(tenantId: string, agent: string, query: string): Promise<readonly AgentNote[]>;
}

/** What time does. */
export interface HousekeepingStore {
  dispatchSteps(request: DispatchRequest): Promise<readonly WakeUp[]>;
  /** Ends dead sessions and takes back their steps; returns how many of each. */
  reapSessions(): Promise<{ readonly sessions: number; readonly steps: number; readonly deadLetters: number }>;
  /** Closes questions whose time is over and wakes their steps; bounded work per call. */
  expireQuestions(): Promise<{ readonly questions: number }>;
  /**
   * Tells parents of children that have ended, and lets children follow what people want of their parents; returns how
   * many of each. Bounded work per call.
   */
  relateTasks(): Promise<{ readonly told: number; readonly followed: number }>;
  /**
   * Settles reservations of attempts that are over at their upper bound, since the provider may have charged for the
   * calls; returns how many. Bounded work per call.
   */
  expireReservations(): Promise<number>;
  /** Deletes what is older than the given ages; bounded work per call. */
  prune(ages: {
    readonly finishedTasksMs: number;
    readonly idempotencyMs: number;
    readonly sessionsMs: number;
    readonly liveMs: number;
  }): Promise<{ readonly tasks: number }>;
  /** Slots of the live sessions that serve a pool, over the whole installation. */
  liveSlots(): Promise<readonly { readonly pool: string; readonly slots: number }[]>;
  /** Ready or running steps per pool, for scaling and metrics. */
  backlog(): Promise<
    readonly {
      readonly pool: string;
      readonly ready: number;
      readonly running: number;
      readonly oldestReadyMs: number;
    }[]
  >;
}
