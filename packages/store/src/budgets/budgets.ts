/**
 * Budgets as the engine uses them, batched: many calls' reservations and settlements in one round trip; see budgets.sql.
 *
 * 1. A reservation has its id before it is sent, so a flush whose answer was lost is repeated and reserves nothing twice.
 * 2. `reserveCall` resolves after the commit.
 */
import type { BudgetAnswer, BudgetCall, BudgetSettlement } from "@baton/core/ports";
import { createBatcher } from "../connection/batcher.ts";
import type { Connections } from "../connection/pools.ts";

export interface BudgetsOptions {
  readonly connections: Connections;
  readonly newId: () => string;
  readonly patienceMs: number;
}

export interface Budgets {
  reserveCall(call: BudgetCall): Promise<BudgetAnswer>;
  settleCall(settlement: BudgetSettlement): Promise<{ readonly overrunTokens: number }>;
  expireReservations(): Promise<number>;
}

type Refusal = Extract<BudgetAnswer, { readonly refusal: unknown }>;
type WireAnswer =
  | Refusal
  | {
      readonly output: number;
      readonly capped: boolean;
      readonly wall?: { readonly capMs: number; readonly leftMs: number };
    };

interface Asked {
  readonly id: string;
  readonly call: BudgetCall;
}

const limits = { maxItems: 200, maxBytes: 4_194_304, sizeOf: () => 500 };

export function createBudgets({ connections, newId, patienceMs }: BudgetsOptions): Budgets {
  const [reserving, settling] = [connections.lane(), connections.lane()];
  const common = { ...limits, newFlushId: newId, patienceMs };
  const reserves = createBatcher<Asked, BudgetAnswer>({
    ...common,
    async flush(asked) {
      const rows = await reserving.engine<{ answers: readonly WireAnswer[] }>(
        "select baton_v1.reserve($1) as answers",
        [JSON.stringify(asked.map(callToWire))],
      );
      return asked.map(({ id }, at) => answerFromWire(id, rows[0]?.answers[at] as WireAnswer));
    },
  });
  const settles = createBatcher<BudgetSettlement, { readonly overrunTokens: number }>({
    ...common,
    async flush(settlements) {
      const rows = await settling.engine<{ answers: readonly { readonly id: string; readonly overrun: number }[] }>(
        "select baton_v1.settle_reservations($1) as answers",
        [JSON.stringify(settlements.map(settlementToWire))],
      );
      const overruns = new Map((rows[0]?.answers ?? []).map(({ id, overrun }) => [id, overrun]));
      return settlements.map(({ reservationId }) => ({ overrunTokens: overruns.get(reservationId) ?? 0 }));
    },
  });
  return {
    reserveCall: (call) => reserves.add({ id: newId(), call }),
    settleCall: (settlement) => settles.add(settlement),
    async expireReservations() {
      const rows = await connections.engine<{ count: number }>("select baton_v1.expire_reservations() as count");
      return rows[0]?.count ?? 0;
    },
  };
}

function callToWire({ id, call }: Asked): Record<string, unknown> {
  const caller = { id, kind: call.kind, ...callerToWire(call) };
  if (call.kind === "tool") return caller;
  const { model, offline, inputTokens, least, most, price } = call;
  return {
    ...caller,
    ...model,
    offline,
    input: inputTokens,
    least,
    most,
    usd: price?.inputUsd ?? 0,
    rate: price?.usdPerOutputToken ?? 0,
    priced: price !== null,
  };
}

function callerToWire(call: BudgetCall): Record<string, unknown> {
  if ("tenantId" in call) return { n: call.tenantId };
  const { ref, attemptNo: a, rootTaskId: r, caps, createdAt: began } = call;
  return { n: ref.tenantId, t: ref.taskId, s: ref.stepId, a, r, caps, began };
}

function answerFromWire(reservationId: string, wire: WireAnswer): BudgetAnswer {
  if ("refusal" in wire) return wire;
  return { reservationId, outputTokens: wire.output, capped: wire.capped, wall: wire.wall };
}

function settlementToWire({ tenantId: n, reservationId: id, outcome }: BudgetSettlement): Record<string, unknown> {
  if (typeof outcome === "string") return { n, id, outcome };
  const { inputTokens: input, outputTokens: output, costUsd: usd, estimated } = outcome.spent;
  const { cachedInputTokens: cached, cacheWriteTokens: written } = outcome.spent;
  return { n, id, outcome: "spent", input, output, usd, estimated, cached, written };
}
