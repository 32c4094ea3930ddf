/** What a stream works with: one task, one reader. */
import type { TaskRef } from "@baton/core";
import type { StepError } from "@baton/core/ports";
import type { TaskRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import type { TaskWatch } from "../live/task-watch.ts";
import type { StreamOfTask } from "../routing/call.ts";
import type { UiParts } from "./ui-parts.ts";

export interface View {
  readonly deps: ApiDeps;
  readonly ref: TaskRef;
  readonly stream: StreamOfTask;
  readonly parts: UiParts;
  readonly watch: TaskWatch;
  readonly signal: AbortSignal;
}

/** A piece of a model's text as it travels on the live channel. */
export interface Delta {
  readonly stepId: string;
  readonly attemptNo: number;
  readonly turn: number;
  readonly text: string;
}

export function deltaOf(data: unknown): Delta | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { kind, stepId, attemptNo, turn = 1, text } = data as Record<string, unknown>;
  return kind === "delta" &&
    typeof stepId === "string" &&
    typeof attemptNo === "number" &&
    typeof turn === "number" &&
    typeof text === "string"
    ? { stepId, attemptNo, turn, text }
    : undefined;
}

const errorText = (error: StepError | undefined): string =>
  error === undefined ? "The task failed." : `${error.code}: ${error.message}`;

/** The end of a stream whose task is over. */
export async function endOf(parts: UiParts, task: TaskRow): Promise<void> {
  if (task.state === "cancelled") await parts.abort("The task was cancelled.");
  else if (task.state === "failed") await parts.error(errorText(task.lastError));
  else await parts.finish();
}
