import { defaultTimeoutMs } from "@baton/core/plan";
import type { NewStep, PerformContext } from "@baton/core/ports";
import { itemMaterial, summaryKey } from "../../context/material.ts";

/** A summary below this says nothing. */
export const smallestSummaryTokens = 50;
const largestSummaryTokens = 4_000;

/**
 * The step that condenses what is too large for `context.step`, which will wait for it.
 * @param room tokens that the step's prompt has left for material
 */
export function summaryStep(context: PerformContext, room: number, stepId: string): NewStep {
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
