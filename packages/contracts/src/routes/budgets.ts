/** The routes of budgets and usage. */
import { z } from "zod";
import {
  budgetChanged,
  changeBudgetBody,
  taskBudgetAnswer,
  tenantBudgetAnswer,
  tenantBudgetBody,
  tenantScope,
  usageAnswer,
  usageQuery,
} from "../wire/budget.ts";
import { uuid } from "../wire/scalars.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

const base = { tag: "budgets" } as const;
const ofTask = { ...base, path: "/api/v1/tasks/{id}/budget", params: z.strictObject({ id: uuid }) } as const;
const ofTenant = { ...base, path: "/api/v1/budgets/{scope}", params: z.strictObject({ scope: tenantScope }) } as const;

export const budgetRoutes = {
  getTaskBudget: {
    ...ofTask,
    method: "GET",
    summary: "Read a task's budget: its caps, what is spent, what calls under way may still cost",
    scope: "read",
    answers: [{ status: 200, description: "The budget.", schema: taskBudgetAnswer, example: example.taskBudget }],
    errors: ["not-found"],
  },
  changeTaskBudget: {
    ...ofTask,
    method: "PATCH",
    summary: "Change a task's caps; null takes one away",
    scope: "write",
    body: changeBudgetBody,
    bodyExample: { usd: 2, reason: "it is worth it" },
    answers: [
      {
        status: 200,
        description:
          "Steps that the budget held go on by themselves. A cap below what is spent and under way is refused, and so is one on tool calls in a task that was created without: nobody has counted them.",
        schema: budgetChanged,
        example: example.budgetChanged,
      },
    ],
    errors: ["not-found", "illegal-transition"],
  },
  getTenantBudget: {
    ...ofTenant,
    method: "GET",
    summary: "Read the tenant's budget, or that of each of its days with today's figures",
    scope: "admin",
    answers: [{ status: 200, description: "The budget.", schema: tenantBudgetAnswer, example: example.tenantBudget }],
    errors: ["not-found"],
  },
  setTenantBudget: {
    ...ofTenant,
    method: "PUT",
    summary: "Set the tenant's caps, or those of each of its days; what is left out is not capped",
    scope: "admin",
    body: tenantBudgetBody,
    bodyExample: { usd: 50 },
    answers: [
      {
        status: 200,
        description: "The budget as it is now. A cap below what is spent lets nothing new begin.",
        schema: tenantBudgetAnswer,
        example: example.tenantBudget,
      },
    ],
    errors: ["not-found"],
  },
  getUsage: {
    ...base,
    method: "GET",
    path: "/api/v1/usage",
    summary: "Say what model calls have cost, by day, by model or by task",
    scope: "read",
    query: usageQuery,
    answers: [
      {
        status: 200,
        description: "Totals, and at most 1,000 rows; what deleted tasks have cost stays in all but the rows by task.",
        schema: usageAnswer,
        example: example.usage,
      },
    ],
    errors: [],
  },
} as const satisfies Record<string, RouteShape>;
