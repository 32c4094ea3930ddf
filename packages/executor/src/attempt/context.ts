/**
 * What a performer gets to work with: one attempt's view of its step, the models and the watchers.
 *
 * 1. A live message is at most 6,000 bytes of JSON: model text is cut into pieces, progress is shortened.
 * 2. Every model call is made within its budgets (budget/model-call.ts), by the first model of its chain that is to be had
 *    (budget/fallback.ts).
 */
import { capsOf } from "@baton/core/budget";
import type { BatonEvent } from "@baton/core/events";
import type {
  BudgetPort,
  EffectResult,
  FailPoint,
  LivePort,
  LogPort,
  ModelPort,
  ModelReply,
  ModelRequest,
  PerformContext,
  RateLimiter,
  StepOutput,
  StepRequest,
} from "@baton/core/ports";
import { boundedText } from "@baton/core/retry";
import { breach, type BudgetedCaller, callerOf, callWithinBudget } from "../budget/model-call.ts";
import { firstOf } from "../budget/fallback.ts";
import type { BudgetWaits } from "../budget/waits.ts";
import { untilAnswered } from "../pipeline/patience.ts";
import type { Prepared } from "../pipeline/prepare.ts";
import { AttemptAccount, spentBefore } from "./account.ts";
import type { Account } from "./account.ts";
import type { RunningAttempt } from "./running.ts";

/** A UTF-16 unit takes at most 6 bytes of JSON. */
const maxPieceChars = 900;

const uncounted = Promise.resolve();

export interface ContextParts {
  readonly attempt: RunningAttempt;
  readonly prepared: Prepared;
  readonly account: Account;
  readonly store: BudgetPort;
  readonly waits: BudgetWaits;
  readonly log: LogPort;
  readonly models: ModelPort;
  readonly limiter: RateLimiter;
  readonly live: LivePort;
  /** Unix ms. */
  readonly clock: () => number;
  readonly failPoint: (name: FailPoint) => Promise<void>;
}

export function taskTopic(taskId: string): string {
  return `task:${taskId}`;
}

/** It is the caller of its own calls too: objects of theirs would be kept for every call under way. */
export class AttemptContext implements PerformContext, BudgetedCaller {
  readonly task: PerformContext["task"];
  readonly #parts: ContextParts;
  isSwitchTold = false;

  constructor(parts: ContextParts) {
    this.#parts = parts;
    const { tenantId, taskId } = parts.attempt.step.ref;
    this.task = { tenantId, taskId };
  }

  get store(): BudgetPort {
    return this.#parts.store;
  }

  get models(): ModelPort {
    return this.#parts.models;
  }

  get log(): LogPort {
    return this.#parts.log;
  }

  get waits(): BudgetWaits {
    return this.#parts.waits;
  }

  get step(): PerformContext["step"] {
    return this.#parts.attempt.step;
  }

  get config(): PerformContext["config"] {
    return this.#parts.prepared.config;
  }

  get inputs(): PerformContext["inputs"] {
    return this.step.inputs;
  }

  get signal(): AbortSignal {
    return this.#parts.attempt.signal;
  }

  get deadlineAt(): number {
    return this.#parts.attempt.deadlineAt;
  }

  readOutput(output: StepOutput): Promise<unknown> {
    return this.#parts.prepared.readOutput(output);
  }

  trace(event: BatonEvent): void {
    this.#parts.account.trace(event);
  }

  settleEffect(result: EffectResult): boolean {
    return this.#parts.account.addEffect(result);
  }

  failPoint(name: FailPoint): Promise<void> {
    return this.#parts.failPoint(name);
  }

  progress(message: string): void {
    this.#publish({ kind: "progress", message: boundedText(message, maxPieceChars - 40) });
  }

  delta(text: string, turn?: number): void {
    const of = turn === undefined ? {} : { turn };
    for (const piece of pieces(text)) this.#publish({ kind: "delta", ...of, text: piece });
  }

  generate(purpose: string, request: StepRequest): Promise<ModelReply> {
    return this.#generate(purpose, request, this.#parts.account);
  }

  async generateApart(purpose: string, request: StepRequest) {
    const account = new AttemptAccount();
    const reply = await this.#generate(purpose, request, account);
    const { traces, usage } = account;
    return { reply, account: { traces, ...(usage !== undefined && { usage }) } };
  }

  #generate(purpose: string, { fallbacks, ...request }: StepRequest, to: Account): Promise<ModelReply> {
    const { models, step } = this;
    const chain = fallbacks ?? step.task.settings.fallbackModels ?? [];
    const trace = (event: BatonEvent): void => this.trace(event);
    return firstOf({ purpose, models, first: request.model, fallbacks: chain, trace }, (model) =>
      this.#ask(purpose, { ...request, model }, to),
    );
  }

  /** What a call that fails has spent goes to the attempt's own account: nobody writes a record of it. */
  async #ask(purpose: string, request: Omit<ModelRequest, "signal">, to: Account): Promise<ModelReply> {
    const { account, clock, failPoint } = this.#parts;
    const { signal } = this;
    signal.throwIfAborted();
    const startedAt = clock();
    const { reply, overrunTokens, cut } = await callWithinBudget(this, { ...request, signal }, (error, model) => {
      const spent = spentBefore(error, model, clock() - startedAt);
      if (spent !== undefined) account.addCall(purpose, spent);
    });
    (cut === undefined ? to : account).addCall(purpose, reply, overrunTokens);
    if (cut !== undefined) throw cut;
    await failPoint("after-model-reply");
    return reply;
  }

  async pace(signal: AbortSignal): Promise<void> {
    const { ref, task } = this.step;
    const { limiter: own } = task.settings;
    if (own === undefined) return;
    await this.#parts.limiter.acquire(
      `task:${task.rootTaskId ?? ref.taskId}`,
      { max: own.max, durationMs: own.duration },
      signal,
    );
  }

  countToolCall(): Promise<void> {
    const caps = capsOf(this.step.task.settings);
    return caps?.toolCalls === undefined && caps?.wallMs === undefined ? uncounted : this.#countToolCall();
  }

  async #countToolCall(): Promise<void> {
    const { log, signal, step, store } = this;
    const call = { ...callerOf(step), kind: "tool" as const };
    const answer = await untilAnswered(() => store.reserveCall(call), signal, log, "reserve");
    if (answer === undefined) throw signal.reason;
    if ("refusal" in answer) throw breach(this, answer.refusal);
  }

  #publish(data: Readonly<Record<string, unknown>>): void {
    const { ref, attemptNo } = this.step;
    this.#parts.live.publish(taskTopic(ref.taskId), { ...data, stepId: ref.stepId, attemptNo });
  }
}

/** Cuts between characters, never inside a surrogate pair. */
function* pieces(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + maxPieceChars);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    yield text.slice(start, end).toWellFormed();
    start = end;
  }
}
