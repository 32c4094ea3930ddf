/**
 * A task of a thread as a UI message stream.
 *
 * 1. Built from the task alone, so that any api process can open it, again, at any time.
 * 2. A reader that leaves cancels nothing.
 */
import { BatonError } from "@baton/core";
import type { Principal } from "../access/api-key.ts";
import type { ApiDeps } from "../deps.ts";
import { eventStream } from "../live/event-stream.ts";
import { watchTask } from "../live/task-watch.ts";
import type { StreamOfTask } from "../routing/call.ts";
import { refOf } from "../tasks/creation.ts";
import { taskOf } from "../tasks/code.ts";
import { writeReply } from "./reply-stream.ts";
import { writeTask } from "./task-stream.ts";
import { UiParts, uiStreamHeaders } from "./ui-parts.ts";

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
        await write({ deps, ref, stream, parts, watch, signal: sink.signal });
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
