/**
 * What a person may resolve a dead letter to, by the kind of its step.
 *
 * A plan step's outcome is the steps it adds, which an output cannot carry, and without them nothing of the goal would
 * be left: it is retried, or its task cancelled. An evaluation's verdict adds steps too; skipping it lets the task end
 * with what it has.
 */
import type { StepKind } from "./states.ts";

export type Resolution = "completed" | "skipped";

const resolutions: Readonly<Record<StepKind, readonly Resolution[]>> = {
  user: ["completed", "skipped"],
  reply: ["completed", "skipped"],
  summary: ["completed", "skipped"],
  evaluate: ["skipped"],
  plan: [],
};

export function resolutionsOf(kind: StepKind): readonly Resolution[] {
  return resolutions[kind];
}
