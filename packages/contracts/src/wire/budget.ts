/** Budgets: what may be spent, what was, and by what. */
import { budgetCaps, capsChange, tenantCaps } from "@baton/core/budget";
import { z } from "zod";
import { count, costUsd, uuid } from "./scalars.ts";
import { taskState } from "./task.ts";

const usd = z.number().min(0);
const figures = z.strictObject({ tokens: count, usd, modelCalls: count, toolCalls: count });

const common = {
  settled: figures.meta({ description: "What was spent. A tenant's tool calls are not counted." }),
  reserved: figures.omit({ toolCalls: true }).meta({ description: "Upper bounds of the calls under way." }),
  overrun: figures
    .pick({ tokens: true, usd: true })
    .meta({ description: "What calls cost above their reservations, because their input was counted too low." }),
};

export const taskBudgetAnswer = z.strictObject({
  taskId: uuid,
  caps: budgetCaps,
  ...common,
  elapsedMs: count.meta({ description: "Since the task was created, until its end." }),
});
export type TaskBudget = z.infer<typeof taskBudgetAnswer>;

export const changeBudgetBody = capsChange.extend({ reason: z.string().min(1).max(2_000).optional() });
export const budgetChanged = z.strictObject({ taskId: uuid, state: taskState, changed: z.boolean() });

export const tenantScope = z.enum(["tenant", "tenant-day"]).meta({
  description: "`tenant`: everything it ever spends; `tenant-day`: what it spends on any one day, UTC.",
});
export const tenantBudgetBody = tenantCaps;
export const tenantBudgetAnswer = z.strictObject({
  scope: tenantScope,
  caps: tenantCaps,
  ...common,
});
export type TenantBudget = z.infer<typeof tenantBudgetAnswer>;

const usageGroup = z.enum(["day", "model", "task", "tree"]);
const day = z.iso.date().meta({ description: "A day, UTC, like 2026-11-20." });

export const usageQuery = z.strictObject({
  from: day.optional().meta({ description: "The first day; 30 days before `to` unless given." }),
  to: day.optional().meta({ description: "The last day, included; today unless given." }),
  group_by: usageGroup.default("day"),
});

const usageFigures = {
  calls: count,
  inputTokens: count,
  outputTokens: count,
  costUsd,
  estimatedCalls: count.meta({ description: "Of the calls: the provider did not say, the figures are estimates." }),
  lostCalls: count.meta({ description: "Of the calls: nobody knows what they cost, so their upper bound is counted." }),
  unpricedCalls: count.meta({ description: "Of the calls: of models without a price, counted as 0 dollars." }),
  overrunTokens: count,
  overrunUsd: usd,
  cachedInputTokens: count.meta({ description: "Of the input tokens: read from the provider's cache." }),
  cacheWriteTokens: count.meta({ description: "Of the input tokens: written to the provider's cache." }),
};

export const usageAnswer = z.strictObject({
  from: day,
  to: day,
  groupBy: usageGroup,
  total: z.strictObject(usageFigures),
  rows: z.array(
    z.strictObject({
      day: day.optional(),
      model: z.strictObject({ provider: z.string(), model: z.string() }).optional(),
      taskId: uuid.optional(),
      ...usageFigures,
    }),
  ),
});
export type Usage = z.infer<typeof usageAnswer>;
