/**
 * Turns a goal into a plan.
 *
 * 1. The plan that is returned passes `validatePlan`; there is no other way out but an error.
 * 2. A rejected plan is a `plan-rejected` row, and its problems go back to the model, at most twice.
 * 3. The prompt stays inside the limit: it says less about the tools before it says nothing about the goal.
 */
import { BatonError } from "@baton/core";
import type { BatonEvent } from "@baton/core/events";
import { boundedText } from "@baton/core/json";
import { estimatedDurationMs } from "@baton/core/plan";
import type { ModelRef, PlanSpec } from "@baton/core/plan";
import type { ModelMessage, ToolSummary } from "@baton/core/ports";
import { type ModelAccess, type ModelOptions, openModel } from "../model/access.ts";
import { askForObject, tooLarge } from "../model/object.ts";
import { catalogueDetails, renderCatalogue } from "./catalogue.ts";
import { planProblems } from "./check.ts";
import { planSchema, readPlan } from "./draft.ts";
import { planPrompt } from "./prompt.ts";

export const maxPlanRepairs = 2;
const maxInputChars = 4_000;

export interface DecomposeOptions extends ModelOptions {
  /** Default 50. */
  readonly maxSteps?: number | undefined;
  /** What the task was given beside the goal; JSON. */
  readonly input?: unknown;
  /** Steps of the task that may run at once; for the estimate. */
  readonly concurrency?: number | undefined;
  /** Step ids that the plan may not use. */
  readonly reservedIds?: ReadonlySet<string> | undefined;
}

export interface DecomposedGoal {
  readonly plan: PlanSpec;
  readonly model: ModelRef;
  /** True when no language model took part. */
  readonly offline: boolean;
  readonly repairs: number;
  readonly estimatedDurationMs: number;
  readonly traces: readonly BatonEvent[];
}

/** @throws BatonError planning-failed naming the problems, offline-cannot-plan, context-too-large, or a model's error */
export async function decomposeGoal(
  goal: string,
  tools: readonly ToolSummary[],
  options: DecomposeOptions,
): Promise<DecomposedGoal> {
  const access = openModel(options);
  const { maxSteps = 50, input, reservedIds } = options;
  const inputText = input === undefined || input === null ? "" : JSON.stringify(input);
  const rules = {
    maxSteps,
    tools,
    models: access.models,
    seen: [goal, inputText],
    ...(reservedIds !== undefined && { reservedIds }),
  };
  const answer = await askForObject(access, {
    purpose: "plan",
    brief: { kind: "plan", goal, tools, maxSteps, ...(inputText !== "" && { input }) },
    messages: await fittingPrompt(
      access,
      (catalogue) => planPrompt({ goal, catalogue, maxSteps, input: boundedText(inputText, maxInputChars) }),
      tools,
    ),
    outputSchema: planSchema,
    maxRepairs: maxPlanRepairs,
    read(object) {
      const read = readPlan(object);
      if (!read.valid) return read;
      const problems = planProblems(read.value, rules);
      return problems.length === 0 ? read : { valid: false, problems };
    },
    onRejected: (problems, repair) =>
      access.record({ type: "plan-rejected", data: { problems: [...problems], repair } }),
  });
  if (!answer.answered) throw planningFailed("plan", answer.problems, answer.repairs);
  const { value: plan, repairs } = answer;
  const { model, offline } = answer.reply;
  const estimate = estimatedDurationMs(plan, options.concurrency);
  access.record({
    type: "plan-decomposed",
    data: { model, offline, stepCount: plan.steps.length, repairs, estimatedDurationMs: estimate },
  });
  return { plan, model, offline, repairs, estimatedDurationMs: estimate, traces: access.traces };
}

/** The prompt with as much about the tools as fits. */
async function fittingPrompt(
  { budget }: ModelAccess,
  promptWith: (catalogue: string) => readonly ModelMessage[],
  tools: readonly ToolSummary[],
): Promise<readonly ModelMessage[]> {
  for (const detail of catalogueDetails) {
    const messages = promptWith(renderCatalogue(tools, detail));
    if ((await budget.count(messages)) <= (detail === "names" ? budget.limit : budget.usable)) return messages;
  }
  throw tooLarge(budget.limit);
}

export function planningFailed(what: "plan" | "evaluation", problems: readonly string[], repairs: number): BatonError {
  return new BatonError(
    "planning-failed",
    `The model gave no valid ${what} after ${repairs} repairs: ${boundedText(problems.join(" "), 1_500)} Rephrase the goal, or choose another model.`,
    { details: { problems: [...problems] } },
  );
}
