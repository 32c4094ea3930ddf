/** What a step does whose material does not fit its prompt: it waits for a summary of it. */
import { BatonError } from "@baton/core";
import type { Budget } from "@baton/core/context";
import { defaultTimeoutMs } from "@baton/core/plan";
import type { ModelMessage, NewStep, PerformContext, Performed } from "@baton/core/ports";
import { hasSummary, itemMaterial, summaryKey } from "./material.ts";

/** A summary below this says nothing. */
const smallestSummaryTokens = 50;
const largestSummaryTokens = 4_000;

/**
 * The step that condenses what is too large for `context.step`, which will wait for it.
 * @param room tokens that the step's prompt has left for material
 */
function summaryStep(context: PerformContext, room: number, stepId: string): NewStep {
  const { step, config } = context;
  const item = itemMaterial(context);
  return {
    stepId,
    key: summaryKey(step.key),
    kind: "summary",
    type: "summarization",
    description: `Summarise the context of ${step.key}`,
    config: {
      type: "summarization",
      max_tokens: Math.max(smallestSummaryTokens, Math.min(largestSummaryTokens, Math.floor(room / 2))),
      ...(config["model"] !== undefined && { model: config["model"] }),
      ...(item.length > 0 && { material: item }),
    },
    join: "all",
    // A skipped dependency has nothing to say, and its edge would skip the summary too.
    dependsOn: step.inputs
      .filter(({ state }) => state === "completed")
      .map(({ stepId: fromStepId }) => ({ fromStepId })),
    references: [],
    rank: step.rank,
    pool: step.pool,
    timeoutMs: defaultTimeoutMs["summarization"] ?? step.timeoutMs,
    retry: step.retry,
    onExhausted: "fail",
  };
}

export interface StepBack {
  readonly context: PerformContext;
  readonly budget: Pick<Budget, "count">;
  /** Tokens that the prompt may have. */
  readonly usable: number;
  /** The prompt without material. */
  readonly bare: readonly ModelMessage[];
  readonly newId: () => string;
}

/** Throws `context-too-large` where a summary would not help, or has not. */
export async function stepBack({ context, budget, usable, bare, newId }: StepBack): Promise<Performed> {
  const room = usable - (await budget.count(bare));
  if (room < smallestSummaryTokens * 2 || hasSummary(context)) {
    const why = hasSummary(context) ? "even with a summary of its material" : "without any material";
    throw new BatonError(
      "context-too-large",
      `The prompt of step "${context.step.key}" is larger than ${usable} tokens (80 % of contextWindowLimit), ${why}. Shorten the goal or the prompt, or raise contextWindowLimit.`,
    );
  }
  return { performed: "deferred", adds: [summaryStep(context, room, newId())] };
}
