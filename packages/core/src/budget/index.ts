export { leastOutputTokens, outputRange, roundedUsd } from "./bound.ts";
export type { OutputRange } from "./bound.ts";
export { budgetCaps, budgetKinds, budgetScopes, capsChange, taskBudget, tenantCaps } from "./caps.ts";
export type { BudgetCaps, BudgetKind, BudgetScope, CapsChange, OnBreach, TaskBudget, TenantCaps } from "./caps.ts";
export { add, nothing, overrunOf, reserve, reserved, settled } from "./ledger.ts";
export type { Amounts, BudgetDemand, BudgetRefusal, BudgetState, BudgetVerdict } from "./ledger.ts";
export { capsOf } from "./settings.ts";
