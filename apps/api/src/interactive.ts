/**
 * What the api performs itself: plans, evaluations and replies, where they are waited for.
 *
 * A plan or a first token costs no hop through the queue. Every other type is refused, so that users' tools never
 * run in the process that answers requests.
 */
import { BatonError } from "@baton/core";
import { interactivePool } from "@baton/core/plan";
import { stepTypes } from "@baton/core/ports";
import type { Performer, StepType } from "@baton/core/ports";
import type { Performers } from "@baton/executor";

const performedHere: ReadonlySet<StepType> = new Set(["plan", "evaluate", "reply"]);

export function interactivePerformers(performers: Performers): Performers {
  const chosen = stepTypes.map((type) => [type, performedHere.has(type) ? performers[type] : refusing(type)] as const);
  return Object.fromEntries(chosen) as Record<StepType, Performer>;
}

function refusing(type: StepType): Performer {
  return async () => {
    throw new BatonError(
      "internal",
      `A step of the type "${type}" is in the pool "${interactivePool}", where only plans and replies belong.`,
    );
  };
}
