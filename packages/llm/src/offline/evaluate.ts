/** Whether a task's goal is reached, by its steps' states. The object answers `evaluateProgress`'s schema. */
import type { EvaluatedStep } from "@baton/core/ports";

export type Evaluation =
  | { readonly verdict: "done"; readonly reason: string }
  | { readonly verdict: "give-up"; readonly reason: string };

export function evaluate(steps: readonly EvaluatedStep[]): Evaluation {
  if (steps.length === 0) return { verdict: "give-up", reason: "The task has no steps, so nothing was done." };
  const open = steps.filter(({ state }) => state !== "completed" && state !== "skipped");
  if (open.length === 0) return { verdict: "done", reason: `All ${steps.length} steps are completed or skipped.` };
  const named = open.slice(0, 5).map(({ id, state }) => `${id} is ${state}`);
  const rest = open.length > 5 ? ` and ${open.length - 5} more` : "";
  return { verdict: "give-up", reason: `The rules cannot revise a plan, and ${named.join(", ")}${rest}.` };
}
