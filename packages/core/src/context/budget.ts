/**
 * What fits a prompt.
 *
 * Purpose: the budget of one prompt (budget.ts), material divided into pieces that fit (pieces.ts) and
 * condensed piece by piece (summary.ts). Boundary: pure arithmetic over the model port's counts; which
 * outputs become material is the caller's.
 *
 * 1. A prompt above 80 % of the limit is not sent; the rest is for what the count does not see.
 * 2. The provider is asked for an exact count only from 60 % on.
 */
import type { ModelRef } from "../plan/model-ref.ts";
import type { ModelMessage, ModelPort } from "../ports/model.ts";

const usableShare = 0.8;
const nearShare = 0.6;
/** No counter gives fewer tokens for a text; keeps cutting linear in what is kept. */
const mostCharsPerToken = 16;

export interface Budget {
  /** Tokens a prompt may have. */
  readonly usable: number;
  /** Tokens of the setting, or of the model's window when that is smaller. */
  readonly limit: number;
  count(messages: readonly ModelMessage[]): Promise<number>;
  /** The same without asking anybody. */
  estimateOf(messages: readonly ModelMessage[]): Promise<number>;
  /** Estimated tokens of a text, without asking anybody. */
  estimate(text: string): Promise<number>;
  /** The longest beginning of a text with at most `tokens` tokens, cut after a paragraph, line or sentence if one is near. */
  cut(text: string, tokens: number): Promise<string>;
}

export function createBudget(
  models: Pick<ModelPort, "list" | "countTokens">,
  model: ModelRef,
  contextWindowLimit: number,
  signal: AbortSignal,
): Budget {
  const window = models
    .list()
    .find(({ ref }) => ref.provider === model.provider && ref.model === model.model)?.contextWindow;
  const limit = Math.min(contextWindowLimit, window ?? contextWindowLimit);
  const estimateOf = async (messages: readonly ModelMessage[]) =>
    (await models.countTokens(model, messages, false, signal)).tokens;
  const estimate = (text: string) => estimateOf([{ role: "user", content: text }]);
  return {
    limit,
    usable: Math.floor(limit * usableShare),
    estimate,
    estimateOf,
    async count(messages) {
      const roughly = await estimateOf(messages);
      if (roughly < limit * nearShare) return roughly;
      return (await models.countTokens(model, messages, true, signal)).tokens;
    },
    async cut(text, tokens) {
      let kept = text.slice(0, tokens * mostCharsPerToken);
      for (let size = await estimate(kept); size > tokens && kept !== ""; size = await estimate(kept)) {
        const chars = Math.floor(kept.length * Math.min(0.95, tokens / size));
        kept = endAtBoundary(kept.slice(0, chars));
      }
      return kept;
    },
  };
}

function endAtBoundary(text: string): string {
  const earliest = text.length * 0.7;
  for (const boundary of ["\n\n", "\n", ". ", " "]) {
    const at = text.lastIndexOf(boundary);
    if (at > earliest) return text.slice(0, at + boundary.length);
  }
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}
