/**
 * Counting tokens: exactly by the provider where it offers that, else by a rule.
 *
 * The rule: one token per character of a script without spaces between words (Han, kana, Hangul,
 * Thai …) and one per three other characters, plus four per message and three per prompt. English
 * prose runs at 3.5 to 4.5 characters a token and program text at 2.7 to 3.5, so the rule counts
 * prose 15 to 50 % too high and stays within about 10 % below for dense program text: it errs on
 * the side that keeps a prompt inside its window.
 */
import type { ModelMessage } from "@baton/core/ports";
import { anthropicMessages, splitMessages } from "./providers/messages.ts";
import { once } from "./providers/once.ts";

const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/gu;

export function estimateTextTokens(text: string): number {
  const single = text.match(unspaced)?.length ?? 0;
  return single + Math.ceil((text.length - single) / 3);
}

export function estimateTokens(messages: readonly ModelMessage[]): number {
  return messages.reduce(
    (sum, message) => sum + 4 + estimateTextTokens(message.content) + callTokens(message) + imageTokens(message),
    3,
  );
}

/** The provider scales larger ones down to about this. */
const tokensPerImage = 1_600;
const imageTokens = (message: ModelMessage): number =>
  message.role === "user" ? (message.images?.length ?? 0) * tokensPerImage : 0;

function callTokens(message: ModelMessage): number {
  const calls = message.role === "assistant" ? (message.toolCalls ?? []) : [];
  return calls.reduce((sum, { tool, input }) => sum + 4 + estimateTextTokens(`${tool}${JSON.stringify(input)}`), 0);
}

export interface TokenCounter {
  count(model: string, messages: readonly ModelMessage[], signal: AbortSignal): Promise<number>;
}

/** `baseUrl` without `/v1`. Errors are the SDK's, for `failure.ts` to read. */
export function createAnthropicCounter(options: { apiKey: string; baseUrl: string | undefined }): TokenCounter {
  const client = once(async () => {
    const { Anthropic } = await import("@anthropic-ai/sdk");
    return new Anthropic({
      apiKey: options.apiKey,
      authToken: null,
      maxRetries: 0,
      ...(options.baseUrl === undefined ? {} : { baseURL: options.baseUrl }),
    });
  });
  return {
    async count(model, messages, signal) {
      const { instructions, conversation } = splitMessages(messages);
      const { messages: api } = await client();
      const answer = await api.countTokens(
        {
          model,
          messages: anthropicMessages(conversation),
          ...(instructions === undefined ? {} : { system: instructions }),
        },
        { signal },
      );
      return answer.input_tokens;
    },
  };
}
