/**
 * The step type `llm`: reasoning over the outputs of earlier steps.
 *
 * 1. No prompt above 80 % of the context limit reaches the model: the step steps back for a summary of its
 *    material first, and fails with `context-too-large` when goal and instruction alone are too large.
 * 2. An answer that does not match `output_schema` is repaired at most twice, with the problems fed back.
 * 3. A cut or refused answer is never an output.
 */
import { BatonError } from "@baton/core";
import { createBudget } from "@baton/core/context";
import type { Budget } from "@baton/core/context";
import { fallbackModels, modelRef } from "@baton/core/plan";
import type { ModelMessage, ModelPort, ModelReply, PerformContext, Performer, StepRequest } from "@baton/core/ports";
import { boundedText } from "@baton/core/retry";
import { gatherMaterial } from "../../context/material.ts";
import { reasonPrompt } from "../../context/prompt.ts";
import { stepBack } from "../../context/summary-step.ts";
import { createOutputValidator } from "./schema.ts";

const maxRepairs = 2;

export interface LlmPerformerParts {
  readonly models: ModelPort;
  readonly newId: () => string;
}

type Schema = Readonly<Record<string, unknown>>;

interface Ask {
  readonly context: PerformContext;
  readonly budget: Budget;
  readonly request: Omit<StepRequest, "messages">;
  readonly messages: readonly ModelMessage[];
}

export function createLlmPerformer({ models, newId }: LlmPerformerParts): Performer {
  return async (context) => {
    const { step, config, signal } = context;
    const { goal, settings } = step.task;
    const model = models.resolve(config["model"] === undefined ? settings.model : modelRef.parse(config["model"]));
    const budget = createBudget(models, model, settings.contextWindowLimit, signal);
    const instruction = instructionOf(context);
    const outputSchema = config["output_schema"] as Schema | undefined;
    const material = await gatherMaterial(context);
    const messages = reasonPrompt({ goal, instruction, material, outputSchema });
    if ((await budget.count(messages)) > budget.usable) {
      const bare = reasonPrompt({ goal, instruction, material: [], outputSchema });
      return await stepBack({ context, budget, usable: budget.usable, bare, newId });
    }
    const request = {
      model,
      ...(config["fallback_models"] !== undefined && { fallbacks: fallbackModels.parse(config["fallback_models"]) }),
      brief: { kind: "reason" as const, goal, instruction, material },
      ...(outputSchema === undefined ? { onDelta: (text: string) => context.delta(text) } : { outputSchema }),
      ...(typeof config["max_output_tokens"] === "number" && { maxOutputTokens: config["max_output_tokens"] }),
    };
    const ask: Ask = { context, budget, request, messages };
    const output =
      outputSchema === undefined ? (await answerTo(ask, "reason")).text : await matchingAnswer(ask, outputSchema);
    return { performed: "output", output };
  };
}

function instructionOf({ step, config }: PerformContext): string {
  const prompt = config["prompt"];
  if (typeof prompt === "string" && prompt !== "") return prompt;
  const got = prompt === "" ? "an empty text" : prompt === null ? "null" : `a ${typeof prompt}`;
  throw new BatonError("invalid-expression", `The prompt of step "${step.key}" yields ${got}; it must yield a text.`);
}

/** One model call whose answer is whole. */
async function answerTo({ context, request, messages }: Ask, purpose: string): Promise<ModelReply> {
  const reply = await context.generate(purpose, { ...request, messages });
  if (reply.finishReason === "length") {
    throw new BatonError(
      "output-cut",
      `The model's answer to step "${context.step.key}" was cut off. Raise max_output_tokens or ask for less.`,
    );
  }
  if (reply.finishReason === "refusal") {
    throw new BatonError(
      "model-refused",
      `The model refused step "${context.step.key}": ${boundedText(reply.text, 300)}`,
    );
  }
  return reply;
}

async function matchingAnswer(ask: Ask, schema: Schema): Promise<unknown> {
  const validate = createOutputValidator(schema);
  let messages = ask.messages;
  for (let repair = 0; ; repair++) {
    const answer = await objectAnswer({ ...ask, messages }, repair === 0 ? "reason" : "repair");
    const verdict =
      "problem" in answer ? { valid: false as const, problems: [answer.problem] } : validate(answer.object);
    if (verdict.valid) return verdict.value;
    const problems = verdict.problems.map((problem) => boundedText(problem, 300));
    ask.context.trace({ type: "output-rejected", data: { problems, repair } });
    if (repair === maxRepairs) {
      throw new BatonError(
        "output-invalid",
        `The model's answer does not match output_schema after ${maxRepairs} repairs: ${problems.join("; ")}`,
      );
    }
    messages = await repairPrompt(ask, answer.text, problems);
  }
}

type ObjectAnswer = { readonly text: string } & ({ readonly object: unknown } | { readonly problem: string });

/** An adapter refuses an answer that is no JSON, with the text in `details`: that can be repaired. */
async function objectAnswer(ask: Ask, purpose: string): Promise<ObjectAnswer> {
  try {
    const { object, text } = await answerTo(ask, purpose);
    return { object, text: text === "" ? (JSON.stringify(object) ?? "") : text };
  } catch (error) {
    if (!(error instanceof BatonError) || error.code !== "output-invalid") throw error;
    return { problem: error.message, text: String(error.details["text"] ?? "") };
  }
}

/** A tenth of the limit for the rejected answer keeps the repair inside it: the first prompt took at most 80 %. */
async function repairPrompt(
  { budget, messages }: Ask,
  text: string,
  problems: readonly string[],
): Promise<readonly ModelMessage[]> {
  const room = Math.floor(budget.limit / 10);
  const rejected = await budget.cut(text, Math.floor(room / 2));
  const listed = await budget.cut(problems.map((problem) => `- ${problem}`).join("\n"), Math.floor(room / 3));
  return [
    ...messages,
    { role: "assistant", content: rejected === "" ? "(no answer)" : rejected },
    {
      role: "user",
      content: `That answer does not match the schema:\n${listed}\nAnswer again with the corrected JSON and nothing else.`,
    },
  ];
}
