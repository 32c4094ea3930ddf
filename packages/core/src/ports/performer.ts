/**
 * The port between an attempt and what performs a step of one type.
 *
 * Purpose: the executor runs attempts; a performer knows one step type. Boundary: a performer never
 * claims, settles or retries; it returns what it made, or throws.
 *
 * 1. Model calls go through `generate`, so that budgets hold, and usage and traces stand also for an
 *    attempt that fails later.
 * 2. A performer ends soon after `signal` aborts; what it throws then is of no consequence.
 * 3. It may throw BatonError, TerminalError or RetryAfter; anything else counts as retryable.
 */
import type { TaskRef } from "../ids.ts";
import type { CelExpression } from "../plan/expression.ts";
import type { ModelRef } from "../plan/model-ref.ts";
import type { ModelReply, ModelRequest } from "./model.ts";
import type { CallAccount, ClaimedStep, EffectResult, NewChild, NewStep, StepOutput } from "./store.ts";
import type { BatonEvent } from "../events/catalogue.ts";
import type { NewQuestion } from "../questions/question.ts";

/** `fallbacks` are asked in their order when the model is not to be had; absent: those of the task. */
export type StepRequest = Omit<ModelRequest, "signal"> & { readonly fallbacks?: readonly ModelRef[] | undefined };

export interface PerformContext {
  readonly step: ClaimedStep;
  readonly task: TaskRef;
  /** The step's config with every expression evaluated, except below `step` of a map. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Outputs of the direct dependencies and of the steps that the config names. */
  readonly inputs: readonly StepOutput[];
  readonly signal: AbortSignal;
  /** Unix ms after which the attempt is ended. */
  readonly deadlineAt: number;
  /** The value of an output, fetched when it is kept by reference; undefined when the step has none. */
  readOutput(output: StepOutput): Promise<unknown>;
  /** Calls the model, or the first of its fallbacks that is to be had; adds `model-called` and the usage to the attempt; throws `budget-exceeded` when a budget does not allow it. */
  generate(purpose: string, request: StepRequest): Promise<ModelReply>;
  /** As `generate`, but its account is the caller's to write, with a record of the call. */
  generateApart(
    purpose: string,
    request: StepRequest,
  ): Promise<{
    readonly reply: ModelReply;
    readonly account: CallAccount;
  }>;
  /**
   * Hands over the result of a call that is the attempt's last, to be written together with the outcome. False when
   * the attempt is over already: then the result is the caller's to write.
   */
  settleEffect(result: EffectResult): boolean;
  /** Before a tool is called, where the task's budget caps that. Throws `budget-exceeded`. */
  countToolCall(): Promise<void>;
  /** Adds a trace row, written when the attempt settles. */
  trace(event: BatonEvent): void;
  /** Tells watchers how far it is; may be lost. */
  progress(message: string): void;
  /** Hands model text to watchers as it arrives; may be lost. `turn`: of an agent, from 1. */
  delta(text: string, turn?: number): void;
  /** Where a fault test may stop the process; does nothing in production. */
  failPoint(name: FailPoint): Promise<void>;
}

export type Performed =
  | {
      readonly performed: "output";
      /** JSON; undefined is stored as null. */
      readonly output: unknown;
      /** Steps a plan or an evaluation adds to the task. */
      readonly adds?: readonly NewStep[];
      readonly result?: CelExpression;
      readonly estimatedDurationMs?: number;
    }
  | { readonly performed: "expanded"; readonly items: readonly NewStep[]; readonly concurrency: number }
  | { readonly performed: "deferred"; readonly adds: readonly NewStep[] }
  /** The step waits, without a worker, until each of them is closed; then it is performed again. */
  | {
      readonly performed: "asked";
      readonly questions: readonly NewQuestion[];
      readonly children?: readonly NewChild[];
    };

export type Performer = (context: PerformContext) => Promise<Performed>;

/** The moments at which killing a worker has been dangerous in other systems. */
export const failPoints = [
  "after-fetch",
  "after-claim",
  "after-model-reply",
  "before-effect",
  "after-effect",
  "before-settle",
  "after-settle",
  "before-dispatch",
] as const;
/** And those of an agent's loop: before each of its moves. */
export const agentFailPoints = ["before-move"] as const;
export type FailPoint = (typeof failPoints)[number] | (typeof agentFailPoints)[number];
