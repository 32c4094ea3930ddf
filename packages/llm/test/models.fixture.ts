/** A ModelPort that speaks to a scripted model server, and requests for it. */
import type { ModelRef } from "@baton/core/plan";
import type { ModelPort, ModelRequest } from "@baton/core/ports";
import { createModels, defaultAnthropicModel, type ModelsOptions } from "@baton/llm";

export const sonnet = defaultAnthropicModel;
/** Short enough an answer that it is not streamed without `onDelta`. */
export const short = { maxOutputTokens: 1_000 } as const;
export const openModel: ModelRef = { provider: "local", model: "llama-3" };

export function modelsOf(url: string, more: Partial<ModelsOptions> = {}): ModelPort {
  return createModels({
    providers: {
      anthropic: { apiKey: "sk-test", baseUrl: url },
      openaiCompatible: [{ name: "local", baseUrl: `${url}/v1`, models: ["llama-3"] }],
      offline: { latencyMs: 0 },
    },
    defaultModel: sonnet,
    now: () => Date.now(),
    ...more,
  });
}

export function ask(model: ModelRef, more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    model,
    brief: { kind: "reply", message: "hello", history: [] },
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "hello" },
    ],
    signal: new AbortController().signal,
    ...more,
  };
}
