/** What an attempt has spent and done so far; written when it settles, however it ends. */
import type { BatonEvent } from "@baton/core/events";
import type { ModelReply, NewTrace, StepUsage } from "@baton/core/ports";

export interface Account {
  readonly traces: readonly NewTrace[];
  readonly usage: StepUsage | undefined;
  /** Input and output tokens of this attempt. */
  readonly tokens: number;
  trace(event: BatonEvent): void;
  addReply(purpose: string, reply: ModelReply): void;
}

export function createAccount(): Account {
  const traces: NewTrace[] = [];
  let usage: StepUsage | undefined;
  return {
    traces,
    get usage() {
      return usage;
    },
    get tokens() {
      return usage === undefined ? 0 : usage.inputTokens + usage.outputTokens;
    },
    trace: ({ type, data }) => void traces.push({ type, data }),
    addReply(purpose, reply) {
      const { model, offline, costUsd, durationMs } = reply;
      const { inputTokens, outputTokens, estimated } = reply.usage;
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
