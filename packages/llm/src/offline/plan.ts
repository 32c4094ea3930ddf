/**
 * Plans by rules: the first family that matches the goal makes the plan.
 *
 * 1. The same goal and tools give the same plan.
 * 2. A goal of no family, or one that needs a language model, is `offline-cannot-plan`, naming what is possible.
 */
import { BatonError } from "@baton/core";
import type { PlanSpec } from "@baton/core/plan";
import type { ToolSummary } from "@baton/core/ports";
import { families } from "./families/index.ts";
import { readGoal } from "./goal.ts";
import { needsLanguageModel } from "./operations.ts";

export function planGoal(brief: {
  readonly goal: string;
  readonly tools: readonly ToolSummary[];
  readonly maxSteps: number;
}): PlanSpec {
  const goal = readGoal(brief.goal);
  if (needsLanguageModel.test(goal.words)) throw cannotPlan("it asks for new text or judgement");
  if (sends.test(goal.words)) throw cannotPlan("it asks to send something, and no family does");
  const family = families.find((each) => each.matches(goal));
  if (family === undefined) throw cannotPlan("it belongs to no family of goals that the rules know");
  const offered = new Set(brief.tools.map(({ name }) => name));
  const missing = family.needs(goal).filter((name) => !offered.has(name));
  if (missing.length > 0)
    throw cannotPlan(`to ${family.can} it needs the tools ${missing.join(", ")}, which are not offered`);
  const plan = family.plan(goal);
  if (plan.steps.length > brief.maxSteps)
    throw cannotPlan(`the plan has ${plan.steps.length} steps and maxSteps is ${brief.maxSteps}`);
  return plan;
}

const sends = /\b(?:send|post|upload|submit|publish)\s+(?:it|them|the|this|a|an)\b/i;

function cannotPlan(why: string): BatonError {
  return new BatonError(
    "offline-cannot-plan",
    `goal: the offline model cannot plan this goal: ${why}. It can ${families.map(({ can }) => can).join("; ")}. ` +
      `For example: "${families.find(({ id }) => id === "decisions")?.example}". For anything else choose a language model.`,
    { details: { families: families.map(({ id }) => id) } },
  );
}
