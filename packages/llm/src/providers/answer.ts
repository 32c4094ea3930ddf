/**
 * From what a provider sent to a ModelReply, or to the error that an incomplete one is.
 *
 * 1. Only the finish reasons stop and length make a reply. A refusal is `model-refused`, everything
 *    else, an empty text included, is `output-cut`.
 * 2. Every such error carries `details.usage` and `details.costUsd`: what was spent is accounted.
 */
import { BatonError } from "@baton/core";
import type { ErrorCode } from "@baton/core";
import type { ModelReply, ModelRequest, ModelUsage } from "@baton/core/ports";
import { type ModelEntry, costUsd } from "../catalogue/entry.ts";
import { estimateTextTokens, estimateTokens } from "../tokens.ts";

export interface SdkUsage {
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly inputTokenDetails: { readonly cacheReadTokens: number | undefined };
}

export interface Answer {
  readonly text: string;
  readonly finishReason: string;
  readonly rawFinishReason: string | undefined;
  readonly usage: SdkUsage | undefined;
}

function usageOf(request: ModelRequest, text: string, told: SdkUsage | undefined): ModelUsage {
  const { inputTokens, outputTokens } = told ?? {};
  return {
    inputTokens: inputTokens ?? estimateTokens(request.messages),
    outputTokens: outputTokens ?? estimateTextTokens(text),
    cachedInputTokens: told?.inputTokenDetails.cacheReadTokens ?? 0,
    estimated: inputTokens === undefined || outputTokens === undefined,
  };
}

/** The account of a call that failed after it had begun, as details of its error. */
export function accountOf(request: ModelRequest, entry: ModelEntry, text: string, told: SdkUsage | undefined) {
  const usage = usageOf(request, text, told);
  return { usage, costUsd: costUsd(entry, usage) };
}

export function replyOf(request: ModelRequest, entry: ModelEntry, answer: Answer, durationMs: number): ModelReply {
  const account = accountOf(request, entry, answer.text, answer.usage);
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
  if (answer.finishReason !== "stop" && answer.finishReason !== "length") {
    throw refuse(
      "output-cut",
      `the answer ended without a usable finish reason (${answer.rawFinishReason ?? "none"}).`,
    );
  }
  if (answer.text.trim() === "")
    throw refuse("output-cut", "the answer is empty. Raise max_output_tokens if it is small.");
  const finishReason = answer.finishReason;
  const common = {
    text: answer.text,
    finishReason,
    usage: account.usage,
    costUsd: account.costUsd,
    model: request.model,
    offline: false,
    durationMs,
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

/** JSON, or JSON as the only content of one code fence: models without native structured output add fences. */
function parseObject(text: string): unknown {
  const fenced = /^\s*```(?:json)?\s*\n([\s\S]*?)\n```\s*$/.exec(text);
  return JSON.parse(fenced?.[1] ?? text);
}
