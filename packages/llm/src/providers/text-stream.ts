/**
 * An answer read as it is written, without the AI SDK's streams.
 *
 * Purpose: the SDK reads every stream through eight web streams, 75 kB for each answer that is open, and thousands are.
 * Here the provider builds the request and reads the answer as if nothing were streamed; in between, at its `fetch`,
 * the answer is asked for as a stream, handed on as it comes, and put together again. Boundary: answers of text and of
 * calls that the model asks for. Objects, which are calls of a tool to some providers, go through the SDK's own streams.
 *
 * 1. What is no stream with a 200 is the provider's to read.
 * 2. An error inside the stream rejects with what the server sent as `data`, as the SDK's errors carry it.
 * 3. A stream that breaks off rejects, or makes an answer without a finish reason.
 */
import { StringDecoder } from "node:string_decoder";

export type Fetch = typeof globalThis.fetch;

/** One answer, put together from its events. */
export interface Assembly {
  /** The text that the event adds. Throws what the event says went wrong. */
  add(event: Fields): string;
  /** The body of the same answer when it is not streamed. */
  answer(text: string): unknown;
}

export interface Wire {
  /** JSON members that ask for a stream. */
  readonly asks: string;
  readonly open: () => Assembly;
}

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** Events: https://platform.claude.com/docs/en/build-with-claude/streaming */
export const anthropicWire: Wire = {
  asks: '"stream":true',
  open() {
    let message: Fields = {};
    const calls = new Map<unknown, { readonly block: Fields; json: string }>();
    return {
      add(event) {
        const delta = fieldsOf(event["delta"]);
        const block = fieldsOf(event["content_block"]);
        if (block["type"] === "tool_use") calls.set(event["index"], { block, json: "" });
        const call = calls.get(event["index"]);
        if (call !== undefined) call.json += textOf(delta["partial_json"]);
        if (event["type"] === "error") throw new ErrorInStream(event);
        if (event["type"] === "message_start") message = fieldsOf(event["message"]);
        if (event["type"] === "message_delta") {
          const usage = { ...fieldsOf(message["usage"]), ...fieldsOf(event["usage"]) };
          message = { ...message, ...delta, usage };
        }
        return delta["type"] === "text_delta" ? textOf(delta["text"]) : "";
      },
      answer: (text) => ({
        ...message,
        content: [
          ...(text === "" ? [] : [{ type: "text", text }]),
          ...[...calls.values()].map(({ block, json }) => ({ ...block, input: parsedInput(json) })),
        ],
      }),
    };
  },
};

/** Chunks of `POST /chat/completions`; the last one carries the usage. */
export const openAiWire: Wire = {
  asks: '"stream":true,"stream_options":{"include_usage":true}',
  open() {
    let first: Fields | undefined;
    let usage: unknown;
    let finishReason: unknown = null;
    const calls = new Map<unknown, { id: string; name: string; json: string }>();
    return {
      add(chunk) {
        if (chunk["error"] !== undefined && chunk["error"] !== null) throw new ErrorInStream(chunk);
        first ??= chunk;
        usage = chunk["usage"] ?? usage;
        const choice = fieldsOf(Array.isArray(chunk["choices"]) ? chunk["choices"][0] : undefined);
        finishReason = choice["finish_reason"] ?? finishReason;
        const delta = fieldsOf(choice["delta"]);
        for (const each of Array.isArray(delta["tool_calls"]) ? delta["tool_calls"] : []) {
          const { index, id, function: told } = fieldsOf(each);
          const { name, arguments: json } = fieldsOf(told);
          const call = calls.get(index) ?? { id: "", name: "", json: "" };
          // Only the first piece of a call names it.
          calls.set(index, {
            id: call.id || textOf(id),
            name: call.name || textOf(name),
            json: call.json + textOf(json),
          });
        }
        return textOf(delta["content"]);
      },
      answer(text) {
        const { id, created, model } = first ?? {};
        const asked = [...calls.values()].map(({ id, name, json }) => ({
          id,
          type: "function",
          function: { name, arguments: json },
        }));
        const message = { role: "assistant", content: text, ...(asked.length > 0 && { tool_calls: asked }) };
        return { id, created, model, choices: [{ index: 0, message, finish_reason: finishReason }], usage };
      },
    };
  },
};

/** What is no JSON stays the text that it is: the caller tells the model. */
function parsedInput(json: string): unknown {
  if (json.trim() === "") return {};
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

class ErrorInStream extends Error {
  readonly data: unknown;
  constructor(data: Fields) {
    super(textOf(fieldsOf(data["error"])["message"]) || "The server sent an error inside its answer.");
    this.data = data;
  }
}

/** Of one call. */
export interface StreamListener {
  /** The answer has begun with a 200: what breaks from now on breaks the answer. */
  onOpen(): void;
  /** Something of it has come, if only a sign of life. */
  onBytes(): void;
  /** The answer in order, before the provider reads the whole of it. */
  onText(text: string): void;
}

/** The provider's `fetch` for one call, which goes out over `send`. */
export function streamingFetch(wire: Wire, listener: StreamListener, send: Fetch): Fetch {
  return async (input, init) => {
    const body = textOf(init?.body);
    const response = await send(input, { ...init, body: `${body.slice(0, -1)},${wire.asks}}` });
    const type = response.headers.get("content-type") ?? "";
    if (!response.ok || response.body === null || !type.startsWith("text/event-stream")) return response;
    listener.onOpen();
    const assembly = wire.open();
    let text = "";
    for await (const data of eventsOf(response.body, listener)) {
      const piece = assembly.add(fieldsOf(JSON.parse(data)));
      if (piece === "") continue;
      text += piece;
      listener.onText(piece);
    }
    return Response.json(assembly.answer(text));
  };
}

/** The data of every event but the closing `[DONE]`: https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  { onBytes }: Pick<StreamListener, "onBytes">,
): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let data: string | undefined;
  for await (const { buffer, byteOffset, byteLength } of body) {
    onBytes();
    const lines = (rest + decoder.write(Buffer.from(buffer, byteOffset, byteLength))).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data:")) {
        const value = line.slice(line.startsWith("data: ") ? 6 : 5);
        data = data === undefined ? value : `${data}\n${value}`;
      } else if (line === "") {
        if (data !== undefined && data !== "[DONE]") yield data;
        data = undefined;
      }
    }
  }
}
