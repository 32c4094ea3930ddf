/**
 * What a performer gets to work with: one attempt's view of its step, the models and the watchers.
 *
 * 1. A live message is at most 6,000 bytes of JSON: model text is cut into pieces, progress is shortened.
 * 2. The token limit is checked before a call, with the prompt's estimate; a call that would pass it is not made.
 */
import { BatonError } from "@baton/core";
import type { BatonEvent } from "@baton/core/events";
import type {
  EffectResult,
  FailPoint,
  LivePort,
  ModelPort,
  ModelReply,
  ModelRequest,
  PerformContext,
  RateLimiter,
  StepOutput,
} from "@baton/core/ports";
import { boundedText } from "@baton/core/retry";
import type { Prepared } from "../pipeline/prepare.ts";
import { AttemptAccount, spentBefore } from "./account.ts";
import type { Account } from "./account.ts";
import type { RunningAttempt } from "./running.ts";

/** A UTF-16 unit takes at most 6 bytes of JSON. */
const maxPieceChars = 900;

export interface ContextParts {
  readonly attempt: RunningAttempt;
  readonly prepared: Prepared;
  readonly account: Account;
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

export class AttemptContext implements PerformContext {
  readonly task: PerformContext["task"];
  readonly #parts: ContextParts;
  /** Of calls whose accounts are written apart. */
  #tokensApart = 0;

  constructor(parts: ContextParts) {
    this.#parts = parts;
    const { tenantId, taskId } = parts.attempt.step.ref;
    this.task = { tenantId, taskId };
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

  delta(text: string): void {
    for (const piece of pieces(text)) this.#publish({ kind: "delta", text: piece });
  }

  generate(purpose: string, request: Omit<ModelRequest, "signal">): Promise<ModelReply> {
    return this.#generate(purpose, request, this.#parts.account);
  }

  async generateApart(purpose: string, request: Omit<ModelRequest, "signal">) {
    const account = new AttemptAccount();
    const reply = await this.#generate(purpose, request, account);
    this.#tokensApart += account.tokens;
    const { traces, usage } = account;
    return { reply, account: { traces, ...(usage !== undefined && { usage }) } };
  }

  /** What a call that fails has spent goes to the attempt's own account: nobody writes a record of it. */
  async #generate(purpose: string, request: Omit<ModelRequest, "signal">, to: Account): Promise<ModelReply> {
    const { account, models, limiter, clock, failPoint } = this.#parts;
    const { signal, step } = this;
    const { maxTokens, limiter: own } = step.task.settings;
    signal.throwIfAborted();
    const used = step.task.tokensUsed + account.tokens + this.#tokensApart;
    await refuseOverLimit(maxTokens, used, models, { ...request, signal });
    if (own !== undefined) {
      await limiter.acquire(`task:${step.ref.taskId}`, { max: own.max, durationMs: own.duration }, signal);
    }
    const startedAt = clock();
    const reply = await models.generate({ ...request, signal }).catch((error: unknown) => {
      const spent = spentBefore(error, request.model, clock() - startedAt);
      if (spent !== undefined) account.addCall(purpose, spent);
      throw error;
    });
    to.addCall(purpose, reply);
    await failPoint("after-model-reply");
    return reply;
  }

  #publish(data: Readonly<Record<string, unknown>>): void {
    const { ref, attemptNo } = this.step;
    this.#parts.live.publish(taskTopic(ref.taskId), { ...data, stepId: ref.stepId, attemptNo });
  }
}

async function refuseOverLimit(
  maxTokens: number | undefined,
  used: number,
  models: ModelPort,
  request: ModelRequest,
): Promise<void> {
  if (maxTokens === undefined) return;
  const prompt = await models.countTokens(request.model, request.messages, false, request.signal);
  if (used + prompt.tokens < maxTokens) return;
  const message = `The task has used ${used} of its ${maxTokens} tokens (maxTokens), and the next prompt needs about ${prompt.tokens}. Start it with a higher maxTokens.`;
  throw new BatonError("token-limit", message);
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
