/**
 * The queue's messages as jobs, under the names that users of such systems know.
 *
 * Purpose: to send, look at and remove the message of one step by hand, beside what dispatching does.
 * Boundary: none of it touches a step. A step that is woken although it is not ready is not claimed; one
 * whose message is removed is dispatched again under a new `dispatchNo`, 5 s after the first.
 */
import type { QueuePort, WakeUp } from "@baton/core/ports";
import { messageId } from "./messages.ts";
import { bullQueueOf } from "./port.ts";

/** `unknown`: never sent, removed, or no longer among those that are kept, at least the last 1,000. */
export type JobStatus = "waiting" | "active" | "completed" | "failed" | "unknown";

/** Sends the wake-up of one step; resolves to the job's id. A wake-up that was sent before is not sent again. */
export async function queueTaskStep(queue: QueuePort, pool: string, wakeUp: WakeUp): Promise<string> {
  await queue.enqueue(pool, [wakeUp]);
  return messageId(wakeUp);
}

/** Sends the wake-ups of the steps that a settled step made ready, in one call; resolves to the jobs' ids in their order. */
export async function queueTaskContinuation(
  queue: QueuePort,
  pool: string,
  wakeUps: readonly WakeUp[],
): Promise<readonly string[]> {
  await queue.enqueue(pool, wakeUps);
  return wakeUps.map(messageId);
}

/** Where the message is; how its step fares stands in the store. */
export async function getJobStatus(queue: QueuePort, pool: string, wakeUp: WakeUp): Promise<JobStatus> {
  const state = await bullQueueOf(queue, "getJobStatus").jobState(pool, wakeUp);
  switch (state) {
    case "delayed":
    case "prioritized":
    case "waiting-children":
      return "waiting";
    default:
      return state;
  }
}

/**
 * Removes a message that waits; resolves to false when none does. It cancels no step: that is the task's cancel.
 * A message that a worker takes and finishes while this asks counts as removed.
 */
export async function cancelJob(queue: QueuePort, pool: string, wakeUp: WakeUp): Promise<boolean> {
  if ((await getJobStatus(queue, pool, wakeUp)) !== "waiting") return false;
  return await bullQueueOf(queue, "cancelJob").removeJob(pool, wakeUp);
}
