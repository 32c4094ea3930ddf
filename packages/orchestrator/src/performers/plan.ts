/** The step type `plan`: the goal becomes the task's steps. */
import type { Performer } from "@baton/core/ports";
import { decomposeGoal } from "../plan/decompose.ts";
import { schedulePlan } from "@baton/core/plan";
import { allowedTools, modelOptionsOf, type PerformerParts, reservedIds } from "./attempt.ts";

export function planPerformer({ models, tools, newId, pool }: PerformerParts): Performer {
  return async (context) => {
    const { goal, input, settings } = context.step.task;
    const { maxSteps, retry, concurrency } = settings;
    const { plan, model, offline, repairs } = await decomposeGoal(goal, await allowedTools(tools, settings), {
      ...modelOptionsOf(context, models),
      maxSteps,
      input,
      concurrency,
      reservedIds,
    });
    if (settings.planOnly === true) return { performed: "output", output: { plan, model, offline, repairs } };
    const { steps, estimatedDurationMs } = schedulePlan(plan, { newId, pool, retry, concurrency });
    return {
      performed: "output",
      output: { stepCount: steps.length, model, offline, repairs },
      adds: steps,
      estimatedDurationMs,
      ...(plan.result !== undefined && { result: plan.result }),
    };
  };
}
