import { BatonError, RetryAfter } from "@baton/core";
import type { BudgetSettlement, ModelReply, ModelUsage } from "@baton/core/ports";

type Cost = BudgetSettlement["outcome"];

export function costOf({ usage, costUsd }: Pick<ModelReply, "usage" | "costUsd">): Cost {
  return { spent: { ...usage, costUsd } };
}

/** What a call that failed has cost: what the adapter says, nothing where it was refused, else nobody knows. */
export function costOfFailure(error: unknown, wasSent: boolean): Cost {
  if (!wasSent || error instanceof RetryAfter) return "nothing";
  if (!(error instanceof BatonError)) return "lost";
  const { usage, costUsd, status, sent } = error.details as {
    readonly usage?: ModelUsage;
    readonly costUsd?: number | null;
    readonly status?: number;
    readonly sent?: boolean;
  };
  if (usage !== undefined) return costOf({ usage, costUsd: costUsd ?? null });
  return status !== undefined || sent === false ? "nothing" : "lost";
}
