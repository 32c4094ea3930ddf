/**
 * Judges whether a task has reached its goal.
 *
 * 1. A revision passes the same checks as a plan; its steps may build on those that exist.
 * 2. After `maxPlanRevisions` revisions, and without room for a step, `revise` is no choice any more.
 * 3. Steps count against `maxSteps` over the whole task.
 */
import type { BatonEvent } from "@baton/core/events";
import { boundedText } from "@baton/core/json";
import type { PlanSpec } from "@baton/core/plan";
import type { EvaluatedStep, ToolSummary } from "@baton/core/ports";
import { z } from "zod";
import { type ModelAccess, type ModelOptions, openModel } from "../model/access.ts";
import { askForObject, type Read, shapeProblems, tooLarge } from "../model/object.ts";
import { type CatalogueDetail, renderCatalogue } from "../plan/catalogue.ts";
import { planProblems, type PlanRules } from "../plan/check.ts";
import { maxPlanRepairs, planningFailed } from "../plan/decompose.ts";
import { draftSteps, providerSchema, readPlan } from "../plan/draft.ts";
import { evaluationPrompt } from "./prompt.ts";

export interface TaskProgress {
  readonly goal: string;
  /** The plan's steps, without the items of maps. A preview may be long: the prompt shortens it. */
  readonly steps: readonly EvaluatedStep[];
  readonly tools: readonly ToolSummary[];
  /** Revisions so far. */
  readonly revisionCount: number;
}

export interface EvaluateOptions extends ModelOptions {
  /** Model-planned steps of the whole task; default 50. */
  readonly maxSteps?: number | undefined;
  /** Default 5. */
  readonly maxPlanRevisions?: number | undefined;
  /** Step ids that a revision may not use. */
  readonly reservedIds?: ReadonlySet<string> | undefined;
}

type Verdict =
  | { readonly verdict: "done" | "give-up"; readonly reason: string }
  | { readonly verdict: "revise"; readonly reason: string; readonly steps: PlanSpec["steps"] };

export type ProgressEvaluation = Verdict & {
  /** True when no language model took part. */
  readonly offline: boolean;
  readonly repairs: number;
  readonly traces: readonly BatonEvent[];
};

/** @throws BatonError planning-failed, context-too-large, or a model's error */
export async function evaluateProgress(task: TaskProgress, options: EvaluateOptions): Promise<ProgressEvaluation> {
  const access = openModel(options);
  const { goal, steps } = task;
  const { maxSteps = 50, maxPlanRevisions = 5, reservedIds } = options;
  const roomForSteps = task.revisionCount < maxPlanRevisions ? Math.max(0, maxSteps - steps.length) : 0;
  const rules: PlanRules = {
    maxSteps: roomForSteps,
    tools: task.tools,
    models: access.models,
    existingSteps: new Set(steps.map(({ id }) => id)),
    ...(reservedIds !== undefined && { reservedIds }),
  };
  const answer = await askForObject(access, {
    purpose: "evaluate",
    brief: { kind: "evaluate", goal, steps, maxSteps: roomForSteps },
    messages: await evaluationPromptThatFits(access, task, roomForSteps),
    outputSchema: roomForSteps > 0 ? revisingSchema : closingSchema,
    maxRepairs: maxPlanRepairs,
    read: (object) => readVerdict(object, rules),
    onRejected: (problems, repair) =>
      access.record({ type: "plan-rejected", data: { problems: [...problems], repair } }),
  });
  if (!answer.answered) throw planningFailed("evaluation", answer.problems, answer.repairs);
  const { value, reply, repairs } = answer;
  const { offline } = reply;
  access.record({ type: "progress-evaluated", data: { verdict: value.verdict, reason: value.reason, offline } });
  return { ...value, offline, repairs, traces: access.traces };
}

const reason = z.string();
const revisingSchema = providerSchema(
  z.strictObject({ verdict: z.enum(["done", "revise", "give-up"]), reason, steps: draftSteps }),
);
const closingSchema = providerSchema(z.strictObject({ verdict: z.enum(["done", "give-up"]), reason }));

const shape = z.strictObject({
  verdict: z.enum(["done", "revise", "give-up"]),
  reason: z.string().min(1),
  steps: z.array(z.unknown()).nullish(),
});

function readVerdict(answer: unknown, rules: PlanRules): Read<Verdict> {
  const read = shape.safeParse(answer);
  if (!read.success) return { valid: false, problems: shapeProblems(read.error) };
  const { verdict } = read.data;
  const said = boundedText(read.data.reason, 2_000);
  const steps = read.data.steps ?? [];
  if (verdict !== "revise") {
    if (steps.length === 0) return { valid: true, value: { verdict, reason: said } };
    return { valid: false, problems: [`steps: must be empty when the verdict is "${verdict}"`] };
  }
  if (rules.maxSteps === 0)
    return { valid: false, problems: [`verdict: the plan may not be revised any more; answer "done" or "give-up"`] };
  const plan = readPlan({ steps });
  if (!plan.valid) return plan;
  const problems = planProblems(plan.value, rules);
  if (problems.length > 0) return { valid: false, problems };
  return { valid: true, value: { verdict, reason: said, steps: plan.value.steps } };
}

/** Characters of each step's preview and words about each tool, from generous to bare. */
const fittings: readonly (readonly [previewChars: number, detail: CatalogueDetail])[] = [
  [6_000, "full"],
  [2_000, "signatures"],
  [600, "signatures"],
  [150, "names"],
  [0, "names"],
];

async function evaluationPromptThatFits({ budget }: ModelAccess, task: TaskProgress, roomForSteps: number) {
  for (const [chars, detail] of fittings) {
    const messages = evaluationPrompt({
      goal: task.goal,
      steps: task.steps.map((step) => ({ ...step, preview: chars === 0 ? "" : boundedText(step.preview, chars) })),
      catalogue: renderCatalogue(task.tools, detail),
      roomForSteps,
    });
    if ((await budget.count(messages)) <= (chars === 0 ? budget.limit : budget.usable)) return messages;
  }
  throw tooLarge(budget.limit);
}
