/**
 * The step type `evaluate`: the task is done, goes on with more steps, or is given up.
 *
 * 1. Giving up is the failure `gave-up` with the reason: a task that did not reach its goal never completes.
 */
import { BatonError } from "@baton/core";
import { boundedText } from "@baton/core/json";
import type { EvaluatedStep, PerformContext, Performer, StepOutput } from "@baton/core/ports";
import { schedulePlan, stepId } from "@baton/core/plan";
import { evaluateProgress } from "../progress/evaluate.ts";
import { allowedTools, modelOptionsOf, type PerformerParts, reservedIds } from "./attempt.ts";

/** Longer outputs are shown by their size: the evaluation reads beginnings only. */
const largestReadBytes = 2 * 1024 * 1024;
const previewChars = 5_900;

export function evaluatePerformer({ models, tools, store, newId, pool }: PerformerParts): Performer {
  return async (context) => {
    const { goal, settings, revisionCount } = context.step.task;
    const { maxSteps, maxPlanRevisions, retry, concurrency } = settings;
    const outputs = await store.settledOutputs(context.task);
    const own = outputs.filter(({ key }) => isPlanStep(key));
    const steps: EvaluatedStep[] = [];
    for (const output of own) steps.push(await evaluated(output, context));
    const evaluation = await evaluateProgress(
      { goal, steps, tools: await allowedTools(tools, settings), revisionCount },
      { ...modelOptionsOf(context, models), maxSteps, maxPlanRevisions, reservedIds },
    );
    const { verdict, reason, offline } = evaluation;
    if (verdict === "give-up") throw new BatonError("gave-up", reason);
    const output = { verdict, reason, offline };
    if (evaluation.verdict !== "revise") return { performed: "output", output };
    const existing = new Map(own.map(({ key, stepId }) => [key, stepId]));
    const schedule = schedulePlan({ steps: evaluation.steps }, { newId, pool, retry, concurrency, existing });
    return { performed: "output", output, adds: schedule.steps };
  };
}

/** Items, summaries and evaluations have keys that no plan can give. */
const isPlanStep = (key: string): boolean => stepId.safeParse(key).success && !reservedIds.has(key);

async function evaluated(output: StepOutput, context: PerformContext): Promise<EvaluatedStep> {
  const { key: id, description, state, sizeBytes } = output;
  if (state !== "completed") return { id, description, state, preview: "" };
  if (sizeBytes > largestReadBytes) return { id, description, state, preview: `(an output of ${sizeBytes} bytes)` };
  const value = await context.readOutput(output);
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return { id, description, state, preview: boundedText(text, previewChars) };
}
