import type { TaskSettings } from "../task/settings.ts";
import type { BudgetCaps } from "./caps.ts";

/** The caps that a task was created with; `maxTokens` is the older name of `budget.tokens`, and the smaller counts. */
export function capsOf({ budget, maxTokens }: Pick<TaskSettings, "budget" | "maxTokens">): BudgetCaps | undefined {
  if (budget === undefined && maxTokens === undefined) return undefined;
  const { onBreach: _, ...caps } = budget ?? { onBreach: "stop" };
  const tokens = Math.min(caps.tokens ?? Number.POSITIVE_INFINITY, maxTokens ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(tokens) ? { ...caps, tokens } : caps;
}
