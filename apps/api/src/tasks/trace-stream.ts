/**
 * A task's traces as they are written.
 *
 * 1. No gap and no repeat: numbers rise by one from the one after Last-Event-ID.
 * 2. It ends with `event: end` when nothing moves any more: the task is terminal, or it failed and rests.
 * 3. Live deltas go between the traces, without id, and are lost when nobody listens.
 */
import type { TaskRef } from "@baton/core";
import { taskStates } from "@baton/core/lifecycle";
import type { TaskRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import { eventStream } from "../live/event-stream.ts";
import type { EventSink } from "../live/event-stream.ts";
import { watchTask } from "../live/task-watch.ts";
import { traceToWire } from "./wire.ts";

const page = 200;

export function isOver(task: TaskRow): boolean {
  const stateClass = taskStates[task.state];
  return stateClass === "terminal" || (stateClass === "resting" && task.runningSteps === 0);
}

/** Sends what was written after `no`; returns the number of the last one. */
async function sendTraces(deps: ApiDeps, ref: TaskRef, no: number, sink: EventSink): Promise<number> {
  let last = no;
  for (;;) {
    const rows = await deps.store.listTaskTraces(ref, { afterNo: last, limit: page });
    if (rows.length > 0) {
      await sink.send(
        rows.map((row) => `id: ${row.no}\nevent: trace\ndata: ${JSON.stringify(traceToWire(row))}\n\n`).join(""),
      );
    }
    last = rows.at(-1)?.no ?? last;
    if (rows.length < page || sink.signal.aborted) return last;
  }
}

export function traceStream(deps: ApiDeps, request: Request, ref: TaskRef, after: number): Response {
  return eventStream({ request, log: deps.log, heartbeatMs: deps.heartbeatMs }, async (sink) => {
    const watch = await watchTask(deps.live, deps.log, ref.taskId, sink.signal);
    try {
      let no = after;
      await sink.send(": following\n\n");
      while (!sink.signal.aborted) {
        // The task is read before the traces: an end seen here has all its traces below.
        const task = await deps.store.getTask(ref);
        if (task === undefined) return;
        if (task.traceNo > no) no = await sendTraces(deps, ref, no, sink);
        if (isOver(task)) {
          await sink.send(`event: end\ndata: ${JSON.stringify({ state: task.state })}\n\n`);
          return;
        }
        let woken = await watch.next(deps.pollMs);
        while (woken === "live") {
          for (const data of watch.take()) await sink.send(`event: live\ndata: ${JSON.stringify(data)}\n\n`);
          woken = await watch.next(deps.pollMs);
        }
      }
    } finally {
      await watch.close();
    }
  });
}

/** `Last-Event-ID` wins over `?after=`: a reconnecting reader sends both. */
export function followFrom(request: Request, after: number | undefined): number {
  const last = request.headers.get("last-event-id");
  return last !== null && /^\d{1,15}$/.test(last) ? Number(last) : (after ?? 0);
}
