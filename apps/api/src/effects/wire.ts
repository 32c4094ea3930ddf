/** From the store's rows about calls to what clients see. */
import type { DeadLetterDetails, TaskEffect } from "@baton/contracts";
import type { EffectRow, TaskEffectRow } from "@baton/store";
import { iso, present } from "../tasks/wire.ts";

export function effectToWire(row: EffectRow): DeadLetterDetails["effects"][number] {
  const { callNo, attemptNo, tool, effect, idempotencyKey, state, late, resolved } = row;
  return {
    ...{ callNo, attemptNo, tool, effect, arguments: row.arguments, idempotencyKey, state, late, resolved },
    createdAt: iso(row.createdAt),
    ...present({ result: row.result, finishedAt: row.finishedAt === undefined ? undefined : iso(row.finishedAt) }),
  };
}

export function taskEffectToWire(row: TaskEffectRow): TaskEffect {
  const { stepId, stepKey, stepState, state } = row;
  const inDoubt = (state === "intent" || state === "unknown") && stepState !== "running";
  return { ...effectToWire(row), stepId, stepKey, stepState, inDoubt };
}
