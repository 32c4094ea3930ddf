/**
 * Model calls that decide what a message becomes: there is no task yet, so they are made within the budgets of the tenant.
 *
 * 1. As a step's call: reserved before it is sent, settled after it; charged whole where nobody knows what it cost.
 * 2. Nobody waits here for others to settle: the caller is told at once.
 */
import { outputRange } from "@baton/core/budget";
import type { BudgetPort, BudgetSettlement, ModelPort } from "@baton/core/ports";
import { exceededByTenant } from "./breach.ts";
import { costOf, costOfFailure } from "./cost.ts";

/** Throws `budget-exceeded`. */
export function modelsWithinTenant(models: ModelPort, store: BudgetPort, tenantId: string): ModelPort {
  return {
    ...models,
    async generate(asked) {
      const bound = await models.bound(asked, false);
      if (bound.offline) return await models.generate(asked);
      const { model, offline, inputTokens, price } = bound;
      const range = outputRange(bound, asked.maxOutputTokens);
      const answer = await store.reserveCall({ kind: "model", tenantId, model, offline, inputTokens, price, ...range });
      if ("refusal" in answer) throw exceededByTenant(answer.refusal);
      const settle = (outcome: BudgetSettlement["outcome"]) =>
        store.settleCall({ tenantId, reservationId: answer.reservationId, outcome });
      let wasSent = false;
      const onSend = (): void => {
        wasSent = true;
      };
      const most = answer.capped ? { maxOutputTokens: answer.outputTokens } : {};
      const reply = await models.generate({ ...asked, ...most, onSend }).catch(async (error: unknown) => {
        await settle(costOfFailure(error, wasSent));
        throw error;
      });
      await settle(costOf(reply));
      return reply;
    },
  };
}
