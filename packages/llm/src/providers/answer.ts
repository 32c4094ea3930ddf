/**
 * From what a provider sent to a ModelReply, or to the error that an incomplete one is.
 *
 * 1. Only the finish reasons stop, length and tool-calls make a reply. A refusal is `model-refused`, everything
 *    else, an answer of nothing and one cut off in a call included, is `output-cut`.
 * 2. Every such error carries `details.usage` and `details.costUsd`: what was spent is accounted.
 */
import { BatonError } from "@baton/core";
import type { ErrorCode } from "@baton/core";
import type { ModelReply, ModelRequest, ModelToolCall, ModelUsage } from "@baton/core/ports";
import { type ModelEntry, costUsd } from "../catalogue/entry.ts";
import { estimateTextTokens, estimateTokens } from "../tokens.ts";

export interface SdkUsage {
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly inputTokenDetails: {
    readonly cacheReadTokens: number | undefined;
    readonly cacheWriteTokens: number | undefined;
  };
}

export interface Answer {
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  readonly finishReason: string;
  readonly rawFinishReason: string | undefined;
  readonly usage: SdkUsage | undefined;
}

function usageOf(request: ModelRequest, text: string, told: SdkUsage | undefined): ModelUsage {
  const { inputTokens, outputTokens } = told ?? {};
  const cacheWriteTokens = told?.inputTokenDetails.cacheWriteTokens ?? 0;
  return {
    inputTokens: inputTokens ?? estimateTokens(request.messages),
    outputTokens: outputTokens ?? estimateTextTokens(text),
    cachedInputTokens: told?.inputTokenDetails.cacheReadTokens ?? 0,
    ...(cacheWriteTokens > 0 && { cacheWriteTokens }),
    estimated: inputTokens === undefined || outputTokens === undefined,
  };
}

/** The account of a call that failed after it had begun, as details of its error. */
export function accountOf(request: ModelRequest, entry: ModelEntry, text: string, told: SdkUsage | undefined) {
  const usage = usageOf(request, text, told);
  return { usage, costUsd: costUsd(entry, usage) };
}

export function replyOf(request: ModelRequest, entry: ModelEntry, answer: Answer, durationMs: number): ModelReply {
  const { toolCalls } = answer;
  const written = toolCalls.length === 0 ? answer.text : `${answer.text}${JSON.stringify(toolCalls)}`;
  const account = accountOf(request, entry, written, answer.usage);
  const refuse = (code: ErrorCode, message: string, cause?: unknown): BatonError =>
    new BatonError(code, `${request.model.provider}/${request.model.model}: ${message}`, {
      details: {
        ...account,
        text: answer.text.slice(0, 20_000),
        finishReason: answer.rawFinishReason ?? answer.finishReason,
      },
      ...(cause === undefined ? {} : { cause }),
    });

  if (answer.finishReason === "content-filter")
    throw refuse("model-refused", "the model refused to answer. Rephrase the prompt.");
  if (toolCalls.length > 0 && answer.finishReason === "length")
    throw refuse("output-cut", "the answer was cut off while it asked for a tool. Raise max_output_tokens.");
  const finishReason = finishOf(answer);
  if (finishReason === undefined) {
    throw refuse(
      "output-cut",
      `the answer ended without a usable finish reason (${answer.rawFinishReason ?? "none"}).`,
    );
  }
  if (answer.text.trim() === "" && toolCalls.length === 0)
    throw refuse("output-cut", "the answer is empty. Raise max_output_tokens if it is small.");
  const common = {
    text: answer.text,
    finishReason,
    usage: account.usage,
    costUsd: account.costUsd,
    model: request.model,
    offline: false,
    durationMs,
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
  } as const;
  if (request.outputSchema === undefined) return common;
  try {
    return { ...common, object: parseObject(answer.text) };
  } catch (cause) {
    if (finishReason === "length")
      throw refuse("output-cut", "the object was cut off. Raise max_output_tokens.", cause);
    throw refuse("output-invalid", `the answer is not JSON: ${(cause as Error).message}`, cause);
  }
}

/** Undefined when the answer is not whole. Some servers say "stop" and ask for tools all the same. */
function finishOf({ finishReason, toolCalls }: Answer): ModelReply["finishReason"] | undefined {
  if (finishReason === "length") return "length";
  if (finishReason !== "stop" && finishReason !== "tool-calls") return undefined;
  return toolCalls.length > 0 ? "tool-calls" : "stop";
}

/** JSON, or JSON as the only content of one code fence: models without native structured output add fences. */
function parseObject(text: string): unknown {
  const fenced = /^\s*```(?:json)?\s*\n([\s\S]*?)\n```\s*$/.exec(text);
  return JSON.parse(fenced?.[1] ?? text);
}
