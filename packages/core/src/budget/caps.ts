/**
 * What a budget may cap, as a person writes it.
 *
 * 1. Unknown kinds are refused and named; a cap that is absent does not limit.
 * 2. Names are those of the task's settings; figures are whole, but for dollars.
 */
import { z } from "zod";
import { modelRef } from "../plan/model-ref.ts";

/** What is counted, in the order in which a refusal is told. */
export const budgetKinds = ["tokens", "usd", "modelCalls", "toolCalls", "wallMs"] as const;
export type BudgetKind = (typeof budgetKinds)[number];

/** Whose budget it is: of a task with everything that it starts, of a tenant, of a tenant on one day (UTC). */
export const budgetScopes = ["task", "tenant", "tenant-day"] as const;
export type BudgetScope = (typeof budgetScopes)[number];

/** Figures up to here are exact in JavaScript and in PostgreSQL. */
const most = 1_000_000_000_000;
/** US dollars; a billionth is the smallest part that is counted. */
const usd = z.number().min(0.000_000_001).max(1_000_000);

const modelCaps = {
  /** Input and output tokens. */
  tokens: z.int().min(1).max(most).optional(),
  /** US dollars by the price table; a model without a price counts nothing. */
  usd: usd.optional(),
  modelCalls: z.int().min(0).max(most).optional(),
};

export const tenantCaps = z.strictObject(modelCaps);
export type TenantCaps = z.infer<typeof tenantCaps>;

export const budgetCaps = z.strictObject({
  ...modelCaps,
  toolCalls: z.int().min(0).max(most).optional(),
  /** From the task's creation on. */
  wallMs: z
    .int()
    .min(1)
    .max(366 * 86_400_000)
    .optional(),
});
export type BudgetCaps = z.infer<typeof budgetCaps>;

const cap = budgetCaps.shape;

/** New caps; null takes one away, what is not named stays. */
export const capsChange = z.strictObject({
  tokens: cap.tokens.unwrap().nullable().optional(),
  usd: cap.usd.unwrap().nullable().optional(),
  modelCalls: cap.modelCalls.unwrap().nullable().optional(),
  toolCalls: cap.toolCalls.unwrap().nullable().optional(),
  wallMs: cap.wallMs.unwrap().nullable().optional(),
});
export type CapsChange = z.infer<typeof capsChange>;

/** What becomes of a call that does not fit: its step fails, a person is asked, or another model is called. */
const onBreach = z.union([z.enum(["stop", "ask"]), z.strictObject({ model: modelRef })], {
  error: '"stop", "ask", or {"model": {"provider": "…", "model": "…"}}',
});
export type OnBreach = z.infer<typeof onBreach>;

export const taskBudget = budgetCaps.extend({ onBreach: onBreach.default("stop") });
export type TaskBudget = z.infer<typeof taskBudget>;
