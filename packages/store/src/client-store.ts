/**
 * What apps/api asks of the store: intent in, rows out. Every call names its tenant and runs as the
 * role `baton_api` under row-level security, so another tenant's row does not exist for it.
 */
import type { StepRef, TaskRef } from "@baton/core";
import type { McpServerRow, McpToolRow } from "./mcp/mcp.ts";
import type { AgentNote } from "@baton/core/agent";
import type { Amounts, BudgetCaps, BudgetKind, CapsChange, TenantCaps } from "@baton/core/budget";
import type { TraceRow } from "@baton/core/events";
import type { Resolution, StepKind, StepState, TaskIntent, TaskState } from "@baton/core/lifecycle";
import type { CelExpression } from "@baton/core/plan";
import type {
  ArtifactRef,
  ClaimedStep,
  NewTrace,
  StepError,
  StepOutput,
  StepType,
  ToolEffect,
} from "@baton/core/ports";
import type { Amendment } from "./chat/turns.ts";
import type { QuestionKind, QuestionState, QuestionSubject } from "@baton/core/questions";
import type { NewTask, TaskSettings, TaskSettingsInput } from "@baton/core/task";

export interface CreateTask extends NewTask {
  readonly tenantId: string;
  readonly taskId: string;
  readonly originTaskId?: string;
  readonly createdBy?: string;
  /** Trace rows of decisions made before the task existed (orchestration-decided). */
  readonly traces: readonly NewTrace[];
  /** Stored in the same transaction as the task. */
  readonly idempotency?: IdempotencyRef;
  /** Paused until the live tasks of its thread are over, where there are any. */
  readonly waitsForThread?: boolean;
}

export interface TaskRow {
  readonly tenantId: string;
  readonly taskId: string;
  readonly kind: "goal" | "plan" | "reply";
  readonly goal: string;
  readonly input: unknown;
  readonly state: TaskState;
  readonly intent: TaskIntent;
  readonly settings: TaskSettings;
  /** User steps in all, and those in a terminal state. */
  readonly totalSteps: number;
  readonly settledSteps: number;
  readonly runningSteps: number;
  readonly failedSteps: number;
  readonly revisionCount: number;
  readonly traceNo: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number | null;
  /** True when the offline model made any decision or text of it. */
  readonly offline: boolean;
  readonly resultExpression: CelExpression | undefined;
  readonly estimatedDurationMs: number | undefined;
  readonly lastError: StepError | undefined;
  readonly threadId: string | undefined;
  readonly originTaskId: string | undefined;
  /** Of a task that a step of another started, and of the one at the top of its tree. */
  readonly parentTaskId: string | undefined;
  readonly rootTaskId: string | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
}

export interface StepRow {
  readonly stepId: string;
  readonly position: number;
  readonly key: string;
  readonly kind: StepKind;
  readonly type: StepType;
  readonly description: string;
  readonly state: StepState;
  readonly attemptNo: number;
  readonly failureCount: number;
  readonly crashCount: number;
  readonly dependsOn: readonly string[];
  readonly parentStepId: string | undefined;
  readonly itemIndex: number | undefined;
  readonly availableAt: number;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly worker: string | undefined;
  readonly sessionId: string | undefined;
  readonly error: StepError | undefined;
  readonly output: unknown;
  readonly outputSizeBytes: number;
  readonly blobId: string | undefined;
  readonly model: string | undefined;
  readonly offline: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number | null;
}

export interface StepsQuery {
  readonly afterPosition?: number;
  readonly kinds?: readonly StepKind[];
  /** False leaves out the steps of a map's items; default true. */
  readonly items?: boolean;
  /** False reads no output: up to 64 KB a step stay where they are; default true. */
  readonly withOutputs?: boolean;
  readonly limit: number;
}

export interface Wait {
  /** dependency | worker | backoff | provider | approval | items | concurrency | person | budget | intent | dead-letter | running */
  readonly on: string;
  readonly stepId: string | undefined;
  readonly stepKey: string | undefined;
  readonly since: number;
  readonly detail: string;
  /** What moves it. */
  readonly movedBy: string;
  /** The kind of the step, where it is a dead letter itself. */
  readonly deadLetterKind?: StepKind | undefined;
  /** A call of the dead letter is in doubt. */
  readonly inDoubt?: boolean | undefined;
  /** What it asks, where it waits for an answer. */
  readonly questionId?: string | undefined;
  readonly questionKind?: QuestionKind | undefined;
}

export interface CheckpointRow {
  readonly checkpointId: string;
  readonly checkpointNo: number;
  readonly traceNo: number;
  readonly stepCount: number;
  readonly createdAt: number;
}

export interface ArtifactRow extends ArtifactRef {
  readonly stepId: string;
  readonly sha256: string;
  readonly createdAt: number;
}

export interface IdempotencyRef {
  readonly tenantId: string;
  /** Method and path template, e.g. `POST /api/v1/tasks`. */
  readonly route: string;
  readonly key: string;
  /** Names the request that holds the key, a UUID: one that lost it meanwhile creates nothing under it. */
  readonly holder?: string;
}

export interface StoredAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type IdempotencyStart =
  | { readonly start: "first" }
  | { readonly start: "in-flight" }
  | { readonly start: "reused" }
  /** The task was created, but the answer was not kept (the api died in between): answer from the task. */
  | { readonly start: "created"; readonly taskId: string }
  | { readonly start: "replay"; readonly answer: StoredAnswer };

export interface ApiKeyRow {
  readonly keyId: string;
  readonly tenantId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
}

export type IntentAnswer =
  | { readonly answer: "changed" | "unchanged"; readonly state: TaskState }
  | { readonly answer: "illegal"; readonly state: TaskState };

/** Which dead letters of a tenant; what is left out does not narrow. */
export interface DeadLetterSelection {
  readonly tenantId: string;
  readonly code?: string | undefined;
  readonly taskId?: string | undefined;
  /** Unix ms: failed then or later. */
  readonly since?: number | undefined;
  readonly groupId?: string | undefined;
  readonly stepIds?: readonly string[] | undefined;
}

/** The last group or letter of the page before. */
export interface DeadLetterPosition {
  readonly failedAtMicros: number;
  readonly id: string;
}

export interface DeadLetterRow {
  readonly taskId: string;
  readonly stepId: string;
  readonly key: string;
  readonly kind: StepKind;
  readonly type: StepType;
  readonly tool: string | undefined;
  /** `failed` in every list. */
  readonly state: StepState;
  readonly error: StepError;
  readonly onExhausted: "fail" | "hold";
  readonly attemptNo: number;
  readonly failureCount: number;
  readonly crashCount: number;
  readonly failedAt: number;
  readonly failedAtMicros: number;
  /** A call of it is in doubt. */
  readonly inDoubt: boolean;
  readonly groupId: string;
  readonly goal: string;
  readonly taskState: TaskState;
}

/** Letters of one cause: the same code, message (without ids, numbers and quoted texts), step type and tool. */
export interface DeadLetterGroupRow {
  readonly groupId: string;
  readonly code: string;
  readonly pattern: string;
  readonly type: StepType;
  readonly tool: string | undefined;
  readonly count: number;
  readonly taskCount: number;
  readonly firstFailedAt: number;
  readonly lastFailedAt: number;
  readonly lastFailedAtMicros: number;
  readonly letters: readonly DeadLetterRow[];
}

export interface EffectRow {
  readonly callNo: number;
  readonly attemptNo: number;
  readonly tool: string;
  readonly effect: ToolEffect;
  readonly arguments: unknown;
  readonly idempotencyKey: string;
  readonly state: "intent" | "succeeded" | "refused" | "unknown";
  readonly result: unknown;
  /** The result came when its attempt was over. */
  readonly late: boolean;
  /** A person said what became of it. */
  readonly resolved: boolean;
  readonly createdAt: number;
  readonly finishedAt: number | undefined;
}

export interface TaskEffectRow extends EffectRow {
  readonly stepId: string;
  readonly stepKey: string;
  readonly stepPosition: number;
  readonly stepState: StepState;
}

export interface EffectsQuery {
  readonly state?: EffectRow["state"] | undefined;
  /** The last call of the page before. */
  readonly after?: Pick<TaskEffectRow, "stepPosition" | "callNo"> | undefined;
  readonly limit: number;
}

/** What a person says about a call in doubt; `attemptNo` is the attempt that made it, as the person saw it. */
export type EffectWord = {
  readonly attemptNo: number;
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
} & (
  | {
      readonly outcome: "succeeded";
      /** At most 32 MB. */
      readonly resultJson: string;
    }
  | { readonly outcome: "not-done" }
);

export interface EffectAnswer extends StepAnswer {
  readonly effectState: EffectRow["state"];
  /** Of the call as it stands now. */
  readonly attemptNo: number;
}

export interface QuestionRow {
  readonly questionId: string;
  readonly taskId: string;
  readonly stepId: string;
  readonly stepKey: string;
  readonly callNo: number;
  readonly attemptNo: number;
  readonly kind: QuestionKind;
  readonly state: QuestionState;
  readonly subject: QuestionSubject;
  readonly approvers: readonly string[];
  readonly quorum: number;
  /** Approvals of the same arguments; `at` in unix ms. */
  readonly votes: readonly { readonly by: string; readonly at: number; readonly arguments: unknown }[];
  readonly answer: unknown;
  readonly reason: string | undefined;
  readonly closedBy: string | undefined;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly closedAt: number | undefined;
}

export interface QuestionsQuery {
  readonly tenantId: string;
  readonly state?: QuestionState | undefined;
  readonly kind?: QuestionKind | undefined;
  readonly taskId?: string | undefined;
  /** Newest first; the last question of the page before. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** What a person says; `by` and `name` of the API key. */
export type QuestionWord = {
  readonly by: string;
  readonly name: string;
  readonly reason?: string | undefined;
} & (
  | { readonly act: "answer"; readonly answer: string }
  /** `arguments` only where they are edited. */
  | { readonly act: "approve"; readonly arguments?: Readonly<Record<string, unknown>> | undefined }
  | { readonly act: "reject" }
);

export interface QuestionAnswer {
  readonly answer: "changed" | "unchanged" | "illegal" | "forbidden";
  readonly questionState: QuestionState;
  readonly kind: QuestionKind;
  readonly votes: number;
  readonly quorum: number;
  readonly taskId: string;
  readonly stepId: string;
  readonly taskState: TaskState;
  readonly stepState: StepState;
}

export interface FailedStep {
  readonly letter: DeadLetterRow;
  /** What an attempt would be given now. */
  readonly step: Pick<ClaimedStep, "ref" | "key" | "type" | "config" | "inputs" | "conditions" | "task" | "item">;
  /** What became of its attempts, oldest first; the newest 400 rows. */
  readonly history: readonly TraceRow[];
  readonly effects: readonly EffectRow[];
}

export interface StepAnswer {
  readonly answer: "changed" | "unchanged" | "illegal";
  readonly taskState: TaskState;
  readonly stepState: StepState;
}

export interface RetriedStep extends StepAnswer {
  readonly taskId: string;
  readonly stepId: string;
}

/** Fenced by the attempt that failed: the edges were judged for that one. */
export type StepResolution = {
  readonly attemptNo: number;
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
} & (
  | {
      readonly state: Extract<Resolution, "completed">;
      /** At most 32 MB. */
      readonly outputJson: string;
      /** Targets of the outgoing edges whose condition is false for this output. */
      readonly deadEdges: readonly string[];
    }
  | { readonly state: Extract<Resolution, "skipped"> }
);

export interface BudgetRow {
  readonly caps: BudgetCaps;
  readonly settled: Amounts;
  /** Upper bounds of the calls under way. */
  readonly reserved: Pick<Amounts, "tokens" | "usd" | "modelCalls">;
  /** What calls cost above what was reserved for them: their input was counted too low. */
  readonly overrun: Pick<Amounts, "tokens" | "usd">;
  /** Whose it is, where it is a task's: that of the root for one in a tree. */
  readonly taskId?: string;
  /** Of a task: since its creation, until its end. */
  readonly elapsedMs?: number;
}

export type BudgetChange =
  | { readonly answer: "changed" | "unchanged" | "illegal" | "uncounted"; readonly state: TaskState }
  /** It spends from the budget of the task at the top of its tree. */
  | { readonly answer: "of-root"; readonly state: TaskState; readonly rootTaskId: string }
  /** A cap below `least`: what is spent and under way. */
  | { readonly answer: "below"; readonly state: TaskState; readonly kind: BudgetKind; readonly least: number };

/** An agent that was created over the api: a version never changes. */
export interface AgentRow {
  readonly name: string;
  readonly version: number;
  /** As core/agent defines it. */
  readonly definition: unknown;
  readonly createdAt: number;
}

export interface AgentPut {
  readonly tenantId: string;
  readonly name: string;
  readonly definition: unknown;
  /** The newest version as the writer read it, 0 for none; undefined: whatever it is. */
  readonly expected?: number | undefined;
  readonly by?: string | undefined;
}

export type TenantScope = "tenant" | "tenant-day";

export interface UsageQuery {
  readonly tenantId: string;
  /** Days, UTC, both included: `2026-11-20`. */
  readonly from: string;
  readonly to: string;
  readonly groupBy: "day" | "model" | "task" | "tree";
  readonly limit: number;
}

export interface UsageRow {
  readonly day?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly taskId?: string;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
  /** Of the calls: their figures are estimates. */
  readonly estimatedCalls: number;
  /** Charged at their upper bound, since nobody knows what they cost. */
  readonly lostCalls: number;
  /** Of models without a price. */
  readonly unpricedCalls: number;
  readonly overrunTokens: number;
  readonly overrunUsd: number;
  /** Of the input: read from a provider's cache, and written to one. */
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
}

export interface ClientStore {
  /** Durable when it resolves; ready steps are dispatched after the commit. */
  createTask(task: CreateTask): Promise<void>;
  getTask(ref: TaskRef): Promise<TaskRow | undefined>;
  listTasks(query: {
    readonly tenantId: string;
    readonly states?: readonly TaskState[];
    readonly kind?: "goal" | "plan" | "reply";
    readonly threadId?: string;
    /** Newest first; the last row of the page before. */
    readonly before?: { readonly createdAt: number; readonly taskId: string };
    readonly limit: number;
  }): Promise<readonly TaskRow[]>;
  listRunningTasks(tenantId: string, limit: number): Promise<readonly TaskRow[]>;
  listTaskSteps(ref: TaskRef, query: StepsQuery): Promise<readonly StepRow[]>;
  listTaskTraces(
    ref: TaskRef,
    query: { readonly afterNo?: number; readonly limit: number; readonly newestFirst?: boolean },
  ): Promise<readonly TraceRow[]>;
  readOutput(ref: TaskRef, blobId: string): Promise<unknown>;
  settledOutputs(ref: TaskRef): Promise<readonly StepOutput[]>;

  cancelTask(ref: TaskRef, by: { readonly by?: string; readonly reason?: string }): Promise<IntentAnswer | undefined>;
  pauseTask(ref: TaskRef, by?: string, reason?: string): Promise<IntentAnswer | undefined>;
  resumeTask(ref: TaskRef, by?: string, reason?: string): Promise<IntentAnswer | undefined>;
  /** Reopens failed and held steps. */
  retryTask(ref: TaskRef, by?: string, reason?: string): Promise<IntentAnswer | undefined>;
  /** Why the task does not move, one entry per waiting thing; empty when it is terminal. */
  whyTask(ref: TaskRef): Promise<readonly Wait[]>;

  /** Newest failure first. `letters` = how many of each group's newest come along. */
  listDeadLetterGroups(
    query: DeadLetterSelection & {
      readonly before?: DeadLetterPosition | undefined;
      readonly limit: number;
      readonly letters: number;
    },
  ): Promise<{ readonly total: number; readonly groups: readonly DeadLetterGroupRow[] }>;
  listDeadLetters(
    query: DeadLetterSelection & { readonly before?: DeadLetterPosition | undefined; readonly limit: number },
  ): Promise<readonly DeadLetterRow[]>;
  /** A step by its id alone, whatever its state. */
  findDeadLetter(tenantId: string, stepId: string): Promise<DeadLetterRow | undefined>;
  /** The same with all that is known of it. */
  readFailedStep(tenantId: string, stepId: string): Promise<FailedStep | undefined>;
  retryStep(
    ref: StepRef,
    why: { readonly by?: string | undefined; readonly reason?: string | undefined },
  ): Promise<StepAnswer | undefined>;
  /** Retries what had failed when it began, some hundred letters a transaction. */
  retryDeadLetters(
    selection: DeadLetterSelection,
    why: { readonly by?: string | undefined; readonly reason?: string | undefined },
  ): Promise<{ readonly retriedSteps: number; readonly retriedTasks: number }>;
  resolveStep(ref: StepRef, resolution: StepResolution): Promise<StepAnswer | undefined>;

  /** Calls to the outside, in the order of the steps. */
  listEffects(ref: TaskRef, query: EffectsQuery): Promise<readonly TaskEffectRow[]>;
  /** Ends the doubt about a call; its failed step goes on by itself. */
  resolveEffect(ref: StepRef, callNo: number, word: EffectWord): Promise<EffectAnswer | undefined>;

  /** Newest first. */
  listQuestions(query: QuestionsQuery): Promise<readonly QuestionRow[]>;
  getQuestion(tenantId: string, questionId: string): Promise<QuestionRow | undefined>;
  /** The last question that is closed lets its step go on. */
  answerQuestion(tenantId: string, questionId: string, word: QuestionWord): Promise<QuestionAnswer | undefined>;
  readTaskBudget(ref: TaskRef): Promise<BudgetRow | undefined>;
  /** Steps that the task's budget holds go on. */
  changeTaskBudget(
    ref: TaskRef,
    change: CapsChange,
    why: { readonly by?: string | undefined; readonly reason?: string | undefined },
  ): Promise<BudgetChange | undefined>;
  /** Of a day: its caps, and the figures of today. */
  readTenantBudget(tenantId: string, scope: TenantScope): Promise<BudgetRow>;
  setTenantBudget(tenantId: string, scope: TenantScope, caps: TenantCaps): Promise<void>;
  usage(query: UsageQuery): Promise<{ readonly total: UsageRow; readonly rows: readonly UsageRow[] }>;

  /** A version more, unless it says what the newest one says. */
  putAgent(
    put: AgentPut,
  ): Promise<{ readonly answer: "created" | "changed" | "unchanged" | "stale"; readonly version: number }>;
  /** The newest that is not deleted, unless a version is named. */
  findAgent(query: {
    readonly tenantId: string;
    readonly name: string;
    readonly version?: number | undefined;
  }): Promise<AgentRow | undefined>;
  listAgents(tenantId: string): Promise<readonly AgentRow[]>;
  /** False when there is none. */
  deleteAgent(tenantId: string, name: string): Promise<boolean>;

  /** What an agent keeps across tasks, newest first. */
  listNotes(query: {
    readonly tenantId: string;
    readonly agent: string;
    readonly before?: string | undefined;
    readonly limit: number;
  }): Promise<readonly AgentNote[]>;
  deleteNote(tenantId: string, agent: string, noteId: string): Promise<boolean>;

  /** What workers found of the installation's MCP servers. */
  listMcp(
    tenantId: string,
  ): Promise<{ readonly servers: readonly McpServerRow[]; readonly tools: readonly McpToolRow[] }>;
  /** Undefined: there is no such tool, it is refused, or it is something else by now than what was seen. */
  acceptMcpTool(
    tenantId: string,
    seen: { readonly server: string; readonly tool: string; readonly hash: string; readonly by: string },
  ): Promise<McpToolRow | undefined>;

  listCheckpoints(ref: TaskRef): Promise<readonly CheckpointRow[]>;
  /** The context as it was: outputs of every step settled at the checkpoint. */
  checkpointContext(ref: TaskRef, checkpointId: string): Promise<readonly StepOutput[] | undefined>;
  listArtifacts(ref: TaskRef): Promise<readonly ArtifactRow[]>;
  readTaskArtifact(
    ref: TaskRef,
    artifactId: string,
  ): Promise<{ readonly row: ArtifactRow; readonly content: Uint8Array } | undefined>;

  /** Creates the thread when it is unknown, appends, and returns the message's number. */
  appendMessage(message: {
    readonly tenantId: string;
    readonly threadId: string;
    readonly messageId: string;
    readonly role: "user" | "assistant";
    readonly parts: readonly unknown[];
    readonly taskId?: string;
    readonly decision?: unknown;
    /** What the task comes to lands in this message, and in no earlier one. */
    readonly answerDue?: boolean;
  }): Promise<void>;
  threadExists(tenantId: string, threadId: string): Promise<boolean>;
  /** What is said into a running task, for whoever judges its progress next; undefined: no such task. */
  amendGoal(ref: TaskRef, words: { readonly text: string; readonly by: string }): Promise<Amendment | undefined>;
  /** Tasks that wait for their turn in a thread and may go on now; of every tenant. */
  startWaitingTasks(): Promise<{ readonly tasks: number }>;
  /** Tasks that are over and have not answered in their threads yet; of every tenant. */
  dueAnswers(limit: number): Promise<readonly TaskRef[]>;
  /** Adds the parts to the message that waits for them; false when none does any more. */
  landAnswer(ref: TaskRef, parts: readonly unknown[]): Promise<boolean>;
  listMessages(
    tenantId: string,
    threadId: string,
    limit: number,
  ): Promise<
    readonly {
      readonly messageId: string;
      readonly role: "user" | "assistant";
      readonly parts: readonly unknown[];
      readonly taskId: string | undefined;
      readonly createdAt: number;
    }[]
  >;

  startIdempotent(ref: IdempotencyRef, bodyHash: string): Promise<IdempotencyStart>;
  finishIdempotent(ref: IdempotencyRef, answer: StoredAnswer): Promise<void>;
  /** The request failed before anything was written: the key may be used again. */
  dropIdempotent(ref: IdempotencyRef): Promise<void>;

  /** `hash` is SHA-256 of the whole key, hex. */
  createApiKey(key: {
    readonly tenantId: string;
    readonly keyId: string;
    readonly name: string;
    readonly hash: string;
    readonly scopes: readonly string[];
  }): Promise<void>;
  findApiKey(hash: string): Promise<ApiKeyRow | undefined>;
  listApiKeys(tenantId: string): Promise<readonly ApiKeyRow[]>;
  revokeApiKey(tenantId: string, keyId: string): Promise<boolean>;
  /** Equal in every process of the installation; `candidate`, at least 32 random bytes, is kept when there was none. */
  installationSecret(candidate: Uint8Array): Promise<Uint8Array>;
  /** What a task in a client's own transaction gets where it names nothing; the installation's secret must be there. */
  keepTaskDefaults(defaults: TaskSettingsInput): Promise<void>;
  /** Cheap round trip for readiness. */
  ping(): Promise<void>;
  /** True while at least one live session serves the pool. */
  poolServed(pool: string): Promise<boolean>;
}
