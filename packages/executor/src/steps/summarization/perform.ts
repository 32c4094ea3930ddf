/**
 * The step type `summarization`: condenses what its dependencies produced (or, without any, everything the
 * task has produced so far) into one text of at most `max_tokens` tokens.
 *
 * Each prompt holds the goal, the summary so far and the next piece, and stays inside the context limit
 * however large the material is (core/context).
 */
import { condenseMaterial, createBudget } from "@baton/core/context";
import { modelRef } from "@baton/core/plan";
import type { EngineStore, Material, ModelPort, PerformContext, Performer } from "@baton/core/ports";
import { materialOf } from "../../context/material.ts";

const defaultMaxTokens = 2_000;

export interface SummarizationPerformerParts {
  readonly store: Pick<EngineStore, "settledOutputs">;
  readonly models: ModelPort;
}

export function createSummarizationPerformer({ store, models }: SummarizationPerformerParts): Performer {
  return async (context) => {
    const { step, config, signal } = context;
    const { goal, settings } = step.task;
    const model = models.resolve(config["model"] === undefined ? settings.model : modelRef.parse(config["model"]));
    const { text, tokensBefore, tokensAfter, offline, callCount } = await condenseMaterial({
      goal,
      material: await sourcesOf(context, store),
      maxTokens: Number(config["max_tokens"] ?? defaultMaxTokens),
      model,
      budget: createBudget(models, model, settings.contextWindowLimit, signal),
      generate: (purpose, request) => context.generate(purpose, request),
    });
    if (callCount > 0) context.trace({ type: "context-summarised", data: { tokensBefore, tokensAfter, offline } });
    return { performed: "output", output: text };
  };
}

async function sourcesOf(
  context: PerformContext,
  store: Pick<EngineStore, "settledOutputs">,
): Promise<readonly Material[]> {
  const { step, config, task } = context;
  const given = (config["material"] ?? []) as readonly Material[];
  const isOnItsOwn = step.inputs.length === 0 && given.length === 0;
  const outputs = isOnItsOwn ? await store.settledOutputs(task) : step.inputs;
  return [...given, ...(await materialOf(outputs, context))];
}
