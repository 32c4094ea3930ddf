/**
 * What travels: names of queues, ids of messages, their data, and what is refused at the boundary.
 *
 * 1. A message id is `<stepId>-<dispatchNo>`: an id that still exists swallows a second add, so a
 *    repeated dispatch needs a new number.
 * 2. NUL and lone surrogates break jsonb, `:` breaks BullMQ's ids: ids are plain ASCII.
 */
import { BatonError } from "@baton/core";
import type { WakeUp } from "@baton/core/ports";

const idPattern = /^[A-Za-z0-9_.-]{1,128}$/;
const poolPattern = /^[A-Za-z0-9_-]{1,64}$/;

const idFields = ["tenantId", "taskId", "stepId"] as const;

export function queueName(pool: string): string {
  if (!poolPattern.test(pool)) {
    throw new BatonError(
      "invalid-request",
      `pool ${JSON.stringify(pool)} is not a pool name: use 1 to 64 letters, digits, "_" or "-".`,
    );
  }
  return `baton-${pool}`;
}

export function messageId(wakeUp: WakeUp): string {
  return `${wakeUp.stepId}-${wakeUp.dispatchNo}`;
}

/** The wake-up with its four fields and nothing else. Throws `invalid-request` naming the field. */
export function checkedWakeUp(value: unknown): WakeUp {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  for (const field of idFields) {
    const id = fields[field];
    if (typeof id !== "string" || !idPattern.test(id)) {
      throw new BatonError(
        "invalid-request",
        `${field} ${JSON.stringify(id)} is not an id: use 1 to 128 letters, digits, "_", "." or "-".`,
      );
    }
  }
  const { dispatchNo } = fields;
  if (!Number.isSafeInteger(dispatchNo) || (dispatchNo as number) < 0) {
    throw new BatonError("invalid-request", `dispatchNo ${String(dispatchNo)} is not a whole number from 0 on.`);
  }
  return {
    tenantId: fields["tenantId"] as string,
    taskId: fields["taskId"] as string,
    stepId: fields["stepId"] as string,
    dispatchNo: dispatchNo as number,
  };
}
