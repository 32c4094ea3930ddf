/**
 * Follows a task's traces to their end.
 *
 * 1. A connection that breaks off is opened again after the last trace that arrived: no gap, no repeat.
 * 2. It gives up when no connection succeeded for `giveUpMs`, or when the server refuses with a 4xx.
 */
import type { TraceStreamEvent } from "@baton/contracts";
import { BatonClientError } from "./error.ts";
import { send, waitFor } from "./request.ts";
import type { ClientOptions } from "./request.ts";
import { readServerSentEvents } from "./server-sent-events.ts";
import type { ServerSentEvent } from "./server-sent-events.ts";

export interface FollowOptions {
  /** Number of the last trace the caller has. */
  readonly after?: number;
  readonly signal?: AbortSignal;
  /** 60,000 unless told. */
  readonly giveUpMs?: number;
}

const firstPauseMs = 200;
const longestPauseMs = 5_000;

function eventOf({ event, data }: ServerSentEvent): TraceStreamEvent | undefined {
  const value = JSON.parse(data) as unknown;
  if (event === "trace") return { event, trace: value as Extract<TraceStreamEvent, { event: "trace" }>["trace"] };
  if (event === "live") return { event, data: value };
  if (event === "end") return { event, state: (value as Extract<TraceStreamEvent, { event: "end" }>).state };
  return undefined;
}

const isTemporary = (error: unknown): boolean =>
  !(error instanceof BatonClientError) || error.status === 0 || error.status >= 500;

export async function* followTask(
  options: ClientOptions,
  taskId: string,
  follow: FollowOptions = {},
): AsyncGenerator<TraceStreamEvent> {
  const { signal, giveUpMs = 60_000 } = follow;
  let after = follow.after ?? 0;
  let pauseMs = firstPauseMs;
  let silentSince = Date.now();
  for (;;) {
    try {
      const headers = { "accept": "text/event-stream", "last-event-id": String(after) };
      const response = await send(options, "listTaskTraces", { params: { id: taskId }, headers, signal });
      if (response.body === null) throw new BatonClientError("unreadable", "The stream has no body.");
      for await (const message of readServerSentEvents(response.body)) {
        pauseMs = firstPauseMs;
        silentSince = Date.now();
        const event = eventOf(message);
        if (event === undefined) continue;
        if (event.event === "trace") after = event.trace.no;
        yield event;
        if (event.event === "end") return;
      }
    } catch (error) {
      if (signal?.aborted || !isTemporary(error) || Date.now() - silentSince > giveUpMs) throw error;
    }
    await (options.wait ?? waitFor)(pauseMs, signal);
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}
