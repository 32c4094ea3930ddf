/** Condenses a conversation or outputs into one text, however long they are. */
import { condenseMaterial } from "@baton/core/context";
import type { ContextSummary } from "@baton/core/context";
import type { BatonEvent } from "@baton/core/events";
import type { Material, ModelMessage } from "@baton/core/ports";
import { type ModelAccess, type ModelOptions, openModel } from "../model/access.ts";

export interface SummarizeOptions extends ModelOptions {
  /** Stands in every prompt: what the summary is for. */
  readonly goal: string;
  /** Tokens of the summary at most; default 2,000. */
  readonly maxTokens?: number | undefined;
}

export interface SummarizedContext extends ContextSummary {
  readonly traces: readonly BatonEvent[];
}

/** @throws BatonError context-too-large, model-refused, or a model's error */
export async function summarizeContext(
  context: readonly (ModelMessage | Material)[],
  options: SummarizeOptions,
): Promise<SummarizedContext> {
  const access = openModel(options);
  const summary = await condense(access, context.map(materialOf), options.goal, options.maxTokens ?? 2_000);
  return { ...summary, traces: access.traces };
}

export async function condense(
  access: ModelAccess,
  material: readonly Material[],
  goal: string,
  maxTokens: number,
): Promise<ContextSummary> {
  const { model, budget, generate } = access;
  const summary = await condenseMaterial({ goal, material, maxTokens, model, budget, generate });
  const { tokensBefore, tokensAfter, offline, callCount } = summary;
  if (callCount > 0) access.record({ type: "context-summarised", data: { tokensBefore, tokensAfter, offline } });
  return summary;
}

export function materialOf(part: ModelMessage | Material): Material {
  return "role" in part ? { name: part.role, text: part.content } : part;
}
