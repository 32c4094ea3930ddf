/** What an attempt has spent and done so far; written when it settles, however it ends. */
import { BatonError } from "@baton/core";
import type { BatonEvent } from "@baton/core/events";
import type { ModelRef } from "@baton/core/plan";
import type { EffectResult, ModelReply, ModelUsage, NewTrace, StepUsage } from "@baton/core/ports";

/** What one call cost, whether its answer was of use or not. */
type Spent = Pick<ModelReply, "model" | "offline" | "usage" | "costUsd" | "durationMs">;

export interface Account {
  readonly traces: readonly NewTrace[];
  readonly usage: StepUsage | undefined;
  /** Results that travel with the outcome. */
  readonly effects: readonly EffectResult[];
  /** False once the account is closed. */
  addEffect(result: EffectResult): boolean;
  /** The attempt is over: what it still hands in goes elsewhere. */
  close(): void;
  trace(event: BatonEvent): void;
  /** `overrunTokens`: above what its budgets had reserved for it. */
  addCall(purpose: string, spent: Spent, overrunTokens?: number): void;
}

/** What a call that failed had spent by then, as the adapter tells it in `details`; nothing when it had not begun. */
export function spentBefore(error: unknown, model: ModelRef, durationMs: number): Spent | undefined {
  if (!(error instanceof BatonError) || error.details["usage"] === undefined) return undefined;
  const { usage, costUsd } = error.details as { usage: ModelUsage; costUsd?: number | null };
  return { model, offline: false, usage, costUsd: costUsd ?? null, durationMs };
}

/** A class: thousands wait at once, and closures and getters of their own would cost each of them a kilobyte. */
export class AttemptAccount implements Account {
  readonly traces: NewTrace[] = [];
  readonly effects: EffectResult[] = [];
  usage: StepUsage | undefined = undefined;
  #isClosed = false;

  addEffect(result: EffectResult): boolean {
    if (!this.#isClosed) this.effects.push(result);
    return !this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
  }

  trace({ type, data }: BatonEvent): void {
    this.traces.push({ type, data });
  }

  addCall(purpose: string, spent: Spent, overrunTokens = 0): void {
    const { model, offline, costUsd, durationMs } = spent;
    const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens = 0, estimated } = spent.usage;
    const data = {
      ...{ purpose, model, offline, inputTokens, outputTokens, estimated, costUsd, durationMs },
      ...(cachedInputTokens > 0 && { cachedInputTokens }),
      ...(cacheWriteTokens > 0 && { cacheWriteTokens }),
    };
    this.trace({ type: "model-called", data: overrunTokens > 0 ? { ...data, overrunTokens } : data });
    const { usage } = this;
    this.usage = {
      model,
      offline: offline || (usage?.offline ?? false),
      inputTokens: inputTokens + (usage?.inputTokens ?? 0),
      outputTokens: outputTokens + (usage?.outputTokens ?? 0),
      // One call without a price makes the sum unknown.
      costUsd:
        usage === undefined ? costUsd : usage.costUsd === null || costUsd === null ? null : usage.costUsd + costUsd,
      estimated: estimated || (usage?.estimated ?? false),
      calls: 1 + (usage?.calls ?? 0),
    };
  }
}
