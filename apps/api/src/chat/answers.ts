/**
 * What a thread owes, done by time: the answer of a task that is over, and the turn of a task that waits.
 *
 * Purpose: an answer lands in its thread also when nobody listens. Boundary: when; what is due is the store's to say.
 *
 * 1. Safe on any number of api processes: an answer lands once, a turn begins once.
 * 2. A task that ends without an answer owes nothing more; one that failed may still be retried.
 */
import type { TaskRef } from "@baton/core";
import type { TaskRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import { replyText } from "./reply-text.ts";

const answersPerRound = 50;

/** One round; resolves to the pause that follows it, in ms. */
export async function keepThreads({ store }: Pick<ApiDeps, "store">): Promise<number> {
  await store.startWaitingTasks();
  const due = await store.dueAnswers(answersPerRound);
  for (const ref of due) {
    const task = await store.getTask(ref);
    if (task !== undefined) await landAnswer(store, task);
  }
  return due.length === answersPerRound ? 20 : 1_000;
}

/** Resolves to the answer's text; empty where the task came to none. */
export async function landAnswer(store: ApiDeps["store"], task: TaskRow): Promise<string> {
  const ref: TaskRef = { tenantId: task.tenantId, taskId: task.taskId };
  const text = task.state === "completed" ? await replyText(store, task) : "";
  await store.landAnswer(ref, text === "" ? [] : [{ type: "text", text }]);
  return text;
}
