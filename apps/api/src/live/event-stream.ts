/**
 * Server-sent events (WHATWG HTML §9.2) that follow their reader's pace.
 *
 * 1. `send` waits while the reader does not read: a slow reader slows its own stream down, nothing else.
 * 2. A comment every 15 s keeps proxies from closing the connection.
 * 3. When the reader leaves, `signal` aborts and the writer ends.
 */
import type { LogPort } from "@baton/core/ports";

export interface EventSink {
  readonly signal: AbortSignal;
  send(text: string): Promise<void>;
}

export interface EventStreamOptions {
  readonly request: Request;
  readonly log: LogPort;
  readonly heartbeatMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const eventStreamHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
};

export function eventStream(options: EventStreamOptions, write: (sink: EventSink) => Promise<void>): Response {
  const headers = { ...eventStreamHeaders, ...options.headers };
  // Nobody would ever read the body of a HEAD.
  if (options.request.method === "HEAD") return new Response(null, { headers });
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, options.request.signal]);
  const encoder = new TextEncoder();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, {
    highWaterMark: 64,
  });
  const writer = writable.getWriter();
  writer.closed.catch(() => left.abort());
  const send = async (text: string) => {
    await writer.ready;
    await writer.write(encoder.encode(text));
  };
  const heartbeat = setInterval(() => {
    // A reader that is behind needs no sign of life.
    if ((writer.desiredSize ?? 0) > 0) send(": still here\n\n").catch(() => left.abort());
  }, options.heartbeatMs);
  const run = async () => {
    try {
      await write({ signal, send });
      await writer.close();
    } catch (error) {
      if (!signal.aborted) options.log.error("stream-failed", { path: new URL(options.request.url).pathname, error });
      await writer.abort(error).catch(() => undefined);
    } finally {
      clearInterval(heartbeat);
      left.abort();
    }
  };
  void run();
  return new Response(readable, { headers });
}
