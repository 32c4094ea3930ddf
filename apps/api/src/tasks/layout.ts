/** From a plan, a goal or a message to the first steps of a task. */
import { BatonError } from "@baton/core";
import { validatePlan } from "@baton/core/graph";
import type { PlanProblem } from "@baton/core/graph";
import { defaultTimeoutMs } from "@baton/core/plan";
import type { PlanSpec } from "@baton/core/plan";
import type { NewStep, StepType } from "@baton/core/ports";
import type { TaskSettings } from "@baton/core/task";
import { schedulePlan } from "@baton/orchestrator";

/** Steps that a caller waits for are performed by the api process itself, see ARCHITECTURE §4. */
export const interactivePool = "interactive";

function planError(problems: readonly PlanProblem[]): BatonError {
  const first = problems[0] as PlanProblem;
  const isExpression = problems.every(({ code }) => code === "invalid-expression");
  const isTool = problems.every(({ code }) => code === "unknown-tool");
  const code = isExpression ? "invalid-expression" : isTool ? "unknown-tool" : "invalid-plan";
  return new BatonError(code, first.message, {
    problems: problems.map(({ pointer, message }) => ({ pointer: `/plan${pointer}`, detail: message })),
  });
}

interface LayoutOptions {
  readonly maxSteps: number;
  readonly knownTools: ReadonlySet<string>;
  readonly pool: string;
  readonly newId: () => string;
}

/** @throws BatonError invalid-plan, invalid-expression or unknown-tool, with pointers into the body */
export function layOut(
  plan: PlanSpec,
  settings: TaskSettings,
  options: LayoutOptions,
): ReturnType<typeof schedulePlan> {
  const problems = validatePlan(plan, options);
  if (problems.length > 0) throw planError(problems);
  refuseInteractive(plan);
  const { pool, newId } = options;
  return schedulePlan(plan, { pool, newId, retry: settings.retry, concurrency: settings.concurrency });
}

/** The api process serves this pool, and it performs nothing but plans and replies. */
function refuseInteractive(plan: PlanSpec): void {
  for (const [index, step] of plan.steps.entries()) {
    const places =
      step.type === "map"
        ? [
            ["", step.pool],
            ["/step", step.step.pool],
          ]
        : [["", step.pool]];
    for (const [place, pool] of places) {
      if (pool !== interactivePool) continue;
      const detail = `Step "${step.id}" names the pool "${interactivePool}", which only Baton's own steps use. Name another pool, or none.`;
      throw new BatonError("invalid-plan", detail, {
        problems: [{ pointer: `/plan/steps/${index}${place}/pool`, detail }],
      });
    }
  }
}

/** The one step a goal or a simple message begins with. */
export function firstStep(kind: "plan" | "reply", settings: TaskSettings, newId: () => string): NewStep {
  const type: StepType = kind;
  return {
    stepId: newId(),
    key: kind,
    kind,
    type,
    description: kind === "plan" ? "Plan the goal" : "Answer the message",
    config: {},
    join: "all",
    dependsOn: [],
    references: [],
    rank: 0,
    pool: interactivePool,
    timeoutMs: defaultTimeoutMs[kind] ?? 900_000,
    retry: settings.retry ?? {},
    onExhausted: "fail",
  };
}
