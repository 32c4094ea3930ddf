/**
 * A task of a thread as a UI message stream.
 *
 * 1. Built from the task alone, so that any api process can open it, again, at any time.
 * 2. A reader that leaves cancels nothing.
 */
import { setTimeout as delay } from "node:timers/promises";
import { BatonError } from "@baton/core";
import type { TaskRef } from "@baton/core";
import type { StepError } from "@baton/core/ports";
import type { TaskRow } from "@baton/store";
import type { Principal } from "../access/api-key.ts";
import type { ApiDeps } from "../deps.ts";
import { eventStream } from "../live/event-stream.ts";
import { watchTask } from "../live/task-watch.ts";
import type { TaskWatch } from "../live/task-watch.ts";
import { orchestrationOf } from "../orchestration/status.ts";
import type { StreamOfTask } from "../routing/call.ts";
import { refOf } from "../tasks/creation.ts";
import { taskOf } from "../tasks/code.ts";
import { resultOf } from "../tasks/result.ts";
import { isOver } from "../tasks/trace-stream.ts";
import { escalationText, replyText, textOf } from "./reply-text.ts";
import { UiParts, uiStreamHeaders } from "./ui-parts.ts";

interface Delta {
  readonly attemptNo: number;
  readonly text: string;
}

function deltaOf(data: unknown): Delta | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { kind, attemptNo, text } = data as Record<string, unknown>;
  return kind === "delta" && typeof attemptNo === "number" && typeof text === "string"
    ? { attemptNo, text }
    : undefined;
}

const errorText = (error: StepError | undefined): string =>
  error === undefined ? "The task failed." : `${error.code}: ${error.message}`;

async function end(parts: UiParts, task: TaskRow): Promise<void> {
  if (task.state === "cancelled") await parts.abort("The task was cancelled.");
  else if (task.state === "failed") await parts.error(errorText(task.lastError));
  else await parts.finish();
}

/** Shows deltas as they come; a later attempt takes the place of an earlier one. */
async function showDeltas(parts: UiParts, watch: TaskWatch, attemptNo: number): Promise<number> {
  let current = attemptNo;
  for (const delta of watch.take().map(deltaOf)) {
    if (delta === undefined || delta.attemptNo < current) continue;
    if (delta.attemptNo > current) {
      current = delta.attemptNo;
      await parts.reset();
    }
    await parts.text(delta.text);
  }
  return current;
}

async function writeReply(
  deps: ApiDeps,
  ref: TaskRef,
  parts: UiParts,
  watch: TaskWatch,
  signal: AbortSignal,
): Promise<void> {
  // The reply lands in its thread under the id of its step.
  const [reply] = await deps.store.listTaskSteps(ref, { kinds: ["reply"], limit: 1 });
  await parts.start(reply?.stepId ?? ref.taskId);
  let attemptNo = 0;
  while (!signal.aborted) {
    attemptNo = await showDeltas(parts, watch, attemptNo);
    const task = await deps.store.getTask(ref);
    if (task === undefined) return parts.error("The task no longer exists.");
    if (isOver(task)) {
      if (task.state === "completed") await parts.settle(await replyText(deps.store, task));
      return end(parts, task);
    }
    while ((await watch.next(deps.pollMs)) === "live") attemptNo = await showDeltas(parts, watch, attemptNo);
  }
}

async function writeTask(
  deps: ApiDeps,
  ref: TaskRef,
  parts: UiParts,
  watch: TaskWatch,
  signal: AbortSignal,
): Promise<void> {
  await parts.start(ref.taskId);
  await parts.text(escalationText);
  await parts.endText();
  let told = "";
  while (!signal.aborted) {
    watch.take();
    const task = await deps.store.getTask(ref);
    if (task === undefined) return parts.error("The task no longer exists.");
    const data = await orchestrationOf(deps.store, task);
    const { updatedAt: _changes, ...shown } = data;
    const tells = JSON.stringify(shown);
    if (tells !== told) await parts.data("task", task.taskId, data);
    told = tells;
    if (isOver(task)) {
      if (task.state === "completed") await parts.text(textOf(await resultOf(deps.store, task)));
      return end(parts, task);
    }
    while ((await watch.next(deps.pollMs)) === "live") watch.take();
    // A map of 10,000 items moves thousands of times a second; its reader wants to see that twice a second.
    await delay(deps.pollMs / 2, undefined, { signal }).catch(() => undefined);
  }
}

/** @throws BatonError not-found */
export async function uiStream(
  deps: ApiDeps,
  stream: StreamOfTask,
  principal: Principal,
  request: Request,
): Promise<Response> {
  const ref = refOf(principal, stream.taskId);
  await taskOf(deps, principal, stream.taskId);
  const write = stream.stream === "reply" ? writeReply : writeTask;
  return eventStream(
    { request, log: deps.log, heartbeatMs: deps.heartbeatMs, headers: uiStreamHeaders },
    async (sink) => {
      const watch = await watchTask(deps.live, deps.log, ref.taskId, sink.signal);
      const parts = new UiParts(sink);
      try {
        await write(deps, ref, parts, watch, sink.signal);
      } catch (error) {
        if (sink.signal.aborted) return;
        deps.log.error("stream-failed", { taskId: ref.taskId, error });
        await parts.error(
          error instanceof BatonError ? error.message : "Something went wrong on our side; resume the stream.",
        );
      } finally {
        await watch.close();
      }
    },
  );
}
