/** The words of replies. */
import type { ClientStore, TaskRow } from "@baton/store";
import { resultOf } from "../tasks/result.ts";

export const escalationText = "This takes several steps, so it runs as a task.";
export const revisionText = "This goes into the task that is running.";

/** Of an answer in its thread; the task has the whole. */
const longestAnswer = 100_000;

/** Where a message shows its task: a reader gets the task's state there. */
export const taskPlace = (taskId: string) => ({ type: "data-task", id: taskId, data: { taskId } });

/** A result as text: itself, its `text`, or JSON. */
function textOf(result: unknown): string {
  if (typeof result === "string") return result;
  if (typeof result === "object" && result !== null) {
    const { text } = result as { text?: unknown };
    if (typeof text === "string") return text;
  }
  return result === undefined || result === null ? "" : JSON.stringify(result, undefined, 2);
}

export async function replyText(
  store: Pick<ClientStore, "listTaskSteps" | "settledOutputs" | "readOutput">,
  task: TaskRow,
): Promise<string> {
  const text = textOf(await resultOf(store, task));
  if (text.length <= longestAnswer) return text;
  return `${text.slice(0, longestAnswer).toWellFormed()}\n\n(the beginning of ${text.length} characters; GET /api/v1/tasks/${task.taskId} has all)`;
}
