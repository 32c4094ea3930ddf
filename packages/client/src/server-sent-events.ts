/**
 * Reads server-sent events (WHATWG HTML §9.2.6) from bytes in any chunks.
 *
 * 1. An event that was not ended by an empty line is dropped: its connection broke off.
 */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
  /** The last id seen on the stream, this event's included. */
  readonly id: string | undefined;
}

interface Pending {
  event: string;
  data: string[];
}

export async function* readServerSentEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  let id: string | undefined;
  let pending: Pending = { event: "message", data: [] };
  for await (const line of linesOf(body)) {
    if (line === "") {
      if (pending.data.length > 0) yield { event: pending.event, data: pending.data.join("\n"), id };
      pending = { event: "message", data: [] };
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") pending.data.push(value);
    else if (field === "event") pending.event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  }
}

/** Lines ended by LF, CRLF or CR; what follows the last end is dropped. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let finished = false;
  try {
    while (!finished) {
      const { done, value } = await reader.read();
      finished = done;
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      // A CR at the very end may be the first half of a CRLF.
      const usable = !done && rest.endsWith("\r") ? rest.length - 1 : rest.length;
      const lines = rest.slice(0, usable).split(/\r\n|\n|\r/);
      rest = (lines.pop() ?? "") + rest.slice(usable);
      yield* lines;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
