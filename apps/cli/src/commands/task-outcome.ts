/** How a task ended, for a person: its result, its error, what it cost. */
import { exitCodeOf } from "@baton/contracts";
import type { Task } from "@baton/contracts";
import type { Console } from "../console/console.ts";
import { duration, wrap } from "../console/text.ts";

/** The exit code of a command that waited for the task. */
export function exitCodeOfTask(task: Task): number {
  if (task.state === "completed") return 0;
  if (task.state === "cancelled") return exitCodeOf("cancelled");
  return exitCodeOf(task.lastError?.code ?? "internal");
}

/** On standard error: how it ended, after what time, at what cost, and what to do about a failure. */
export function explainEnd(task: Task, console: Console): void {
  const label = task.offline ? "  [offline model]" : "";
  const summary = `${figures(task)}${label}`;
  if (task.state === "completed") {
    console.progress(`${console.paint("green", "completed")} ${summary}`);
    return;
  }
  console.note(`${console.paint("red", task.state)} ${summary}`);
  if (task.lastError !== undefined) {
    const { code, message, causes } = task.lastError;
    const texts = [`${code}: ${message}`, ...causes.map((cause) => `caused by ${cause.message}`)];
    const isNew = (text: string, at: number) => at === 0 || !text.endsWith(message);
    for (const text of texts.filter(isNew)) console.note(wrap(text, console.columns - 1, "  "));
  }
  for (const line of missingLines(task, console.columns - 1)) console.note(line);
  if (task.state === "failed") console.note(`  Try again: npm run baton -- retry ${task.id}`);
}

const mostMissing = 5;

function missingLines({ partial }: Task, columns: number): string[] {
  if (partial === undefined || partial.missingSteps === 0) return [];
  const { missing, missingSteps } = partial;
  const shown = missing.slice(0, mostMissing).map(({ key, why }) => wrap(`${key}: ${why}`, columns, "    "));
  const more = missingSteps - shown.length;
  return [`  Missing:`, ...shown, ...(more > 0 ? [`    … and ${more} more`] : [])];
}

function figures(task: Task): string {
  const { startedAt, finishedAt, updatedAt, usage, settledSteps, totalSteps } = task;
  const took = startedAt === undefined ? [] : [duration(Date.parse(finishedAt ?? updatedAt) - Date.parse(startedAt))];
  const tokens = usage.inputTokens + usage.outputTokens;
  const cost = usage.costUsd === null || usage.costUsd === 0 ? "" : `, $${usage.costUsd.toFixed(4)}`;
  const parts = [...took, `${settledSteps}/${totalSteps} steps`, ...(tokens === 0 ? [] : [`${tokens} tokens${cost}`])];
  return parts.join(", ");
}

/** A text as it is; anything else as JSON. */
export function resultText(result: unknown): string | undefined {
  if (result === undefined || result === null) return undefined;
  return typeof result === "string" ? result : JSON.stringify(result, undefined, 2);
}
