/**
 * The step type `summarization`: condenses what its dependencies produced (or, without any, everything the
 * task has produced so far) into one text.
 *
 * 1. Works in pieces that fit: each prompt holds the goal, the summary so far and the next piece, and stays
 *    below 80 % of the context limit however large the material is.
 * 2. The output has at most `max_tokens` tokens by the model's own count.
 */
import { BatonError } from "@baton/core";
import { modelRef } from "@baton/core/plan";
import type { EngineStore, Material, ModelPort, PerformContext, Performer } from "@baton/core/ports";
import { materialOf } from "../../context/material.ts";
import { summarizePrompt, summarySoFar } from "../../context/prompt.ts";
import { createBudget } from "../../context/tokens.ts";
import type { Budget } from "../../context/tokens.ts";
import { batchesOf } from "./pieces.ts";

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
    const budget = createBudget(models, model, settings.contextWindowLimit, signal);
    const maxTokens = Math.min(Number(config["max_tokens"] ?? defaultMaxTokens), Math.floor(budget.usable / 3));
    const material = await sourcesOf(context, store);
    const room = await roomFor(goal, maxTokens, budget);
    let summary = "";
    let tokensBefore = 0;
    let offline = false;
    for await (const batch of batchesOf(material, room, budget)) {
      tokensBefore += await tokensOf(batch, budget);
      const parts = summary === "" ? batch : [{ name: summarySoFar, text: summary }, ...batch];
      const reply = await context.generate("summarize", {
        model,
        brief: { kind: "summarize", goal, material: parts, maxTokens },
        messages: summarizePrompt({ goal, material: parts, maxTokens }),
      });
      if (reply.finishReason === "refusal")
        throw new BatonError("model-refused", `The model refused to summarise for step "${step.key}".`);
      summary = (await budget.cut(reply.text, maxTokens)).trim();
      offline = reply.offline;
    }
    if (material.length > 0) {
      context.trace({
        type: "context-summarised",
        data: { tokensBefore, tokensAfter: await budget.estimate(summary), offline },
      });
    }
    return { performed: "output", output: summary };
  };
}

/** Tokens that one piece may have beside the goal, the instruction and a full summary so far. */
async function roomFor(goal: string, maxTokens: number, budget: Budget): Promise<number> {
  const frame = await budget.count(summarizePrompt({ goal, material: [{ name: summarySoFar, text: "" }], maxTokens }));
  const room = budget.usable - frame - maxTokens;
  if (room >= 100) return room;
  throw new BatonError(
    "context-too-large",
    `The goal leaves no room for material in a prompt of ${budget.usable} tokens (80 % of contextWindowLimit). Shorten the goal or raise contextWindowLimit.`,
  );
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

async function tokensOf(material: readonly Material[], budget: Budget): Promise<number> {
  let tokens = 0;
  for (const { text } of material) tokens += await budget.estimate(text);
  return tokens;
}
