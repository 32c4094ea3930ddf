/** The words of replies. */
import type { ClientStore, TaskRow } from "@baton/store";
import { resultOf } from "../tasks/result.ts";

export const escalationText = "This takes several steps, so it runs as a task.";

/** A result as text: itself, its `text`, or JSON. */
export function textOf(result: unknown): string {
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
  return textOf(await resultOf(store, task));
}
