export { defaultAnthropicModel } from "./catalogue/aliases.ts";
export { anthropicPricesAsOf } from "./catalogue/anthropic.ts";
export type { ModelEntry, Price } from "./catalogue/entry.ts";
export type { AnthropicOptions, ModelLimiter, ModelsOptions, OpenAiCompatibleOptions } from "./models.ts";
export { createModels } from "./models.ts";
export { offlineLabel, offlineRef } from "./offline/label.ts";
