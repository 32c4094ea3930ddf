/**
 * Model ids of earlier days and the model of the same class that answers for them. Their originals
 * are retired at the provider; users' requests and stored plans still name them.
 */
import type { ModelRef } from "@baton/core/plan";

const currentSonnet = "claude-sonnet-5-5";
const currentOpus = "claude-opus-5-5";
const currentHaiku = "claude-haiku-5-5";

const retired: Readonly<Record<string, string>> = {
  "claude-3-5-sonnet-20240620": currentSonnet,
  "claude-3-5-sonnet-20241022": currentSonnet,
  "claude-3-5-sonnet-latest": currentSonnet,
  "claude-3-7-sonnet-20250219": currentSonnet,
  "claude-3-7-sonnet-latest": currentSonnet,
  "claude-3-sonnet-20240229": currentSonnet,
  "claude-sonnet-4-0": currentSonnet,
  "claude-sonnet-4-20250514": currentSonnet,
  "claude-3-5-haiku-20241022": currentHaiku,
  "claude-3-5-haiku-latest": currentHaiku,
  "claude-3-haiku-20240307": currentHaiku,
  "claude-3-opus-20240229": currentOpus,
  "claude-3-opus-latest": currentOpus,
  "claude-opus-4-0": currentOpus,
  "claude-opus-4-20250514": currentOpus,
  "claude-opus-4-1": currentOpus,
  "claude-opus-4-1-20250805": currentOpus,
};

/** What a system with an Anthropic key uses when nothing else is said. */
export const defaultAnthropicModel: ModelRef = { provider: "anthropic", model: currentSonnet };

/** Keyed `provider/model`. */
export const builtInAliases: Readonly<Record<string, ModelRef>> = Object.fromEntries(
  Object.entries(retired).map(([old, model]) => [`anthropic/${old}`, { provider: "anthropic", model }]),
);
