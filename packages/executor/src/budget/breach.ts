/** What is said of a call that a budget does not allow. */
import { BatonError } from "@baton/core";
import type { BudgetKind, BudgetRefusal, BudgetScope } from "@baton/core/budget";
import type { ClaimedStep } from "@baton/core/ports";

export type Refusal = BudgetRefusal & { readonly scope: BudgetScope };

const owners: Readonly<Record<BudgetScope, string>> = {
  "task": "The task's budget",
  "tenant": "The tenant's budget",
  "tenant-day": "The tenant's budget of one day",
};

const units: Readonly<Record<BudgetKind, string>> = {
  tokens: "tokens",
  usd: "US dollars",
  modelCalls: "model calls",
  toolCalls: "tool calls",
  wallMs: "ms since it was created",
};

/** `details.asksPerson`: the step is held for a person, who may raise the cap. */
export function exceeded({ ref, task }: ClaimedStep, refusal: Refusal): BatonError {
  const { scope, kind, cap, settled, reserved, needed } = refusal;
  const { budget, maxTokens } = task.settings;
  const isOlderName = scope === "task" && kind === "tokens" && cap === maxTokens && budget?.tokens !== cap;
  const name = isOlderName ? "maxTokens" : scope === "task" ? `budget.${kind}` : kind;
  const asksPerson = budget?.onBreach === "ask";
  const state =
    kind === "wallMs" ? `${settled} have passed` : `${settled} are spent, ${underWay(reserved)}${needs(needed)}`;
  return new BatonError(
    isOlderName ? "token-limit" : "budget-exceeded",
    `${owners[scope]} allows ${cap} ${units[kind]} (${name}): ${state}. ${fixOf(scope, ref, asksPerson)}`,
    { details: { asksPerson, ...refusal } },
  );
}

const underWay = (reserved: number): string => (reserved > 0 ? `${reserved} are reserved by calls under way, ` : "");
const needs = (needed: number): string => `and this call needs up to ${needed}`;

function fixOf(scope: BudgetScope, { taskId, stepId }: ClaimedStep["ref"], asksPerson: boolean): string {
  if (scope === "task" && asksPerson) return `Raise it, and the step goes on: PATCH /api/v1/tasks/${taskId}/budget.`;
  const raise = scope === "task" ? `PATCH /api/v1/tasks/${taskId}/budget` : `PUT /api/v1/budgets/${scope}`;
  return `Raise it (${raise}), then retry the step (POST /api/v1/dead-letters/${stepId}/retry).`;
}

export function exceededByTenant({ scope, kind, cap, settled, needed }: Refusal): BatonError {
  const said = `${owners[scope]} allows ${cap} ${units[kind]}: ${settled} are spent, ${needs(needed)}.`;
  return new BatonError("budget-exceeded", `${said} Raise it: PUT /api/v1/budgets/${scope}.`);
}

/** The budget had only so much left, and the answer did not fit. */
export function cutByBudget(
  { key }: ClaimedStep,
  outputTokens: number,
  asksPerson: boolean,
  cause?: BatonError,
): BatonError {
  return new BatonError(
    "budget-exceeded",
    `The answer to step "${key}" was cut off after ${outputTokens} tokens: no more was left of its budget. Raise the budget, or name fewer max_output_tokens.`,
    { details: { ...cause?.details, asksPerson }, ...(cause !== undefined && { cause }) },
  );
}
