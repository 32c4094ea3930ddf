/**
 * The port to budgets, as the engine sees it: reserve before a call, settle after it.
 *
 * 1. `reserveCall` resolves after the commit: nothing is sent before its upper bound is reserved everywhere.
 * 2. A reservation that is never settled is charged whole when its attempt is over (`expireReservations`).
 */
import type { BudgetCaps, BudgetRefusal, BudgetScope } from "../budget/index.ts";
import type { StepRef } from "../ids.ts";
import type { ModelRef } from "../plan/model-ref.ts";

interface Caller {
  readonly ref: StepRef;
  /** The task at the top of its tree: its budget counts the call. */
  readonly rootTaskId: string;
  readonly attemptNo: number;
  /** Of the task as it was created; what was changed since counts instead. */
  readonly caps: BudgetCaps | undefined;
  /** Of the task, Unix ms by the database's clock. */
  readonly createdAt: number;
}

/** What a call of a model may cost at most. */
interface ModelDemand {
  readonly kind: "model";
  readonly model: ModelRef;
  /** Counts in the task's own budget alone. */
  readonly offline: boolean;
  readonly inputTokens: number;
  readonly least: number;
  readonly most: number;
  /** Null when the model has no price: then it counts nothing in dollars. */
  readonly price: { readonly inputUsd: number; readonly usdPerOutputToken: number } | null;
}

export interface ModelBudgetCall extends Caller, ModelDemand {}

/** Decides what a message becomes, before there is a task: counts for the tenant. */
export interface DecisionBudgetCall extends ModelDemand {
  readonly tenantId: string;
}

export interface ToolBudgetCall extends Caller {
  readonly kind: "tool";
}

export type BudgetCall = ModelBudgetCall | DecisionBudgetCall | ToolBudgetCall;

export type BudgetAnswer =
  | {
      readonly reservationId: string;
      readonly outputTokens: number;
      /** Tokens or dollars are capped: the answer may not be longer than what was reserved. */
      readonly capped: boolean;
      /** The task's wall clock, where it is capped. */
      readonly wall: { readonly capMs: number; readonly leftMs: number } | undefined;
    }
  | { readonly refusal: BudgetRefusal & { readonly scope: BudgetScope } };

export interface BudgetSettlement {
  readonly tenantId: string;
  readonly reservationId: string;
  /** `lost`: sent, and what it cost is not known; `nothing`: it cost nothing. */
  readonly outcome:
    | {
        readonly spent: {
          readonly inputTokens: number;
          readonly outputTokens: number;
          readonly costUsd: number | null;
          readonly estimated: boolean;
          readonly cachedInputTokens?: number;
          readonly cacheWriteTokens?: number;
        };
      }
    | "lost"
    | "nothing";
}

export interface BudgetPort {
  /** A tool's call is settled at once: it counts, whatever becomes of it. */
  reserveCall(call: BudgetCall): Promise<BudgetAnswer>;
  /** The first that is known of a call counts. */
  settleCall(settlement: BudgetSettlement): Promise<{ readonly overrunTokens: number }>;
}
