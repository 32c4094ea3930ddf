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
  /** Input and output tokens of this attempt. */
  readonly tokens: number;
  /** Results that travel with the outcome. */
  readonly effects: readonly EffectResult[];
  /** False once the account is closed. */
  addEffect(result: EffectResult): boolean;
  /** The attempt is over: what it still hands in goes elsewhere. */
  close(): void;
  trace(event: BatonEvent): void;
  addCall(purpose: string, spent: Spent): void;
}

/** What a call that failed had spent by then, as the adapter tells it in `details`; nothing when it had not begun. */
export function spentBefore(error: unknown, model: ModelRef, durationMs: number): Spent | undefined {
  if (!(error instanceof BatonError) || error.details["usage"] === undefined) return undefined;
  const { usage, costUsd } = error.details as { usage: ModelUsage; costUsd?: number | null };
  return { model, offline: false, usage, costUsd: costUsd ?? null, durationMs };
}

export function createAccount(): Account {
  const traces: NewTrace[] = [];
  const effects: EffectResult[] = [];
  let usage: StepUsage | undefined;
  let closed = false;
  return {
    traces,
    effects,
    addEffect(result) {
      if (!closed) effects.push(result);
      return !closed;
    },
    close() {
      closed = true;
    },
    get usage() {
      return usage;
    },
    get tokens() {
      return usage === undefined ? 0 : usage.inputTokens + usage.outputTokens;
    },
    trace: ({ type, data }) => void traces.push({ type, data }),
    addCall(purpose, spent) {
      const { model, offline, costUsd, durationMs } = spent;
      const { inputTokens, outputTokens, estimated } = spent.usage;
      const data = { purpose, model, offline, inputTokens, outputTokens, estimated, costUsd, durationMs };
      traces.push({ type: "model-called", data });
      usage = {
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
    },
  };
}
