/**
 * What `data-task` says: the task as users of orchestrate know it, with the text that its steps are writing.
 *
 * 1. Of a text only its end is shown: the part is sent whole, again and again.
 */
import { statusOfStep } from "@baton/contracts";
import type { TaskPart } from "@baton/contracts";
import type { TaskRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import { orchestrationOf } from "../orchestration/status.ts";
import { plannedSteps } from "../tasks/result.ts";
import type { Delta } from "./view.ts";

const shownChars = 400;
const mostSteps = 1_000;

export interface TaskShown {
  readonly data: TaskPart;
  /** By the place in `steps`. */
  readonly stepIds: readonly string[];
}

export async function taskShown(store: ApiDeps["store"], task: TaskRow): Promise<TaskShown> {
  const data = await orchestrationOf(store, task);
  const steps = await plannedSteps(store, task, mostSteps);
  // Between the two readings steps may have been added or have moved.
  return {
    data: {
      ...data,
      steps: steps.map(({ description, state }, index) => ({
        ...{ index: String(index), description },
        status: statusOfStep[state],
      })),
    },
    stepIds: steps.map(({ stepId }) => stepId),
  };
}

/** The ends of the texts that steps are writing. */
export class StepTexts {
  readonly #texts = new Map<string, { readonly attemptNo: number; readonly turn: number; readonly text: string }>();

  add({ stepId, attemptNo, turn, text }: Delta): void {
    const before = this.#texts.get(stepId);
    const isNewer = before === undefined || attemptNo > before.attemptNo || turn > before.turn;
    if (!isNewer && (attemptNo < before.attemptNo || turn < before.turn)) return;
    const all = isNewer ? text : before.text + text;
    this.#texts.set(stepId, { attemptNo, turn, text: all.slice(-shownChars).toWellFormed() });
  }

  /** With the text of each step that is at work; that it has begun is read later than its first words come. */
  into({ data, stepIds }: TaskShown): TaskPart {
    const steps = data.steps.map((step, place) => {
      const isOpen = step.status === "running" || step.status === "pending";
      const text = isOpen ? this.#texts.get(stepIds[place] ?? "")?.text : undefined;
      return text === undefined ? step : { ...step, text };
    });
    return { ...data, steps };
  }
}
