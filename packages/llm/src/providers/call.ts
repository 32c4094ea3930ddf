/**
 * One call to a language model through the AI SDK.
 *
 * 1. `maxRetries: 0`: one request per call; the step's policy is the only retry layer.
 * 2. Deltas arrive in order, all of them before the reply.
 * 3. Streams when `onDelta` is given, and whenever the answer may be long: fetch gives a request up that has
 *    no response header after 300 s, and an unstreamed one has none before the answer is whole.
 * 4. The connection belongs to the call: however it ends, its socket is released or closed at once.
 * 5. A text that streams is read at the provider's `fetch`: `streamText` puts some 14 streams around each answer, 220 kB for
 *    as long as it is open. Objects, which may come as calls of a tool, go through it.
 * 6. A stream that sends nothing for `idleMs` is given up: what it has spent is accounted, `details.silent` says why.
 * 7. No tool is ever called here: what the model asks for comes back as it was asked.
 */
import { BatonError } from "@baton/core";
import type { ModelReply, ModelRequest, ModelTool } from "@baton/core/ports";
import type { JSONSchema7, LanguageModel, ModelMessage, ToolSet } from "ai";
import { generateText, InvalidResponseDataError, jsonSchema, NoOutputGeneratedError, streamText } from "ai";
import type { ModelEntry } from "../catalogue/entry.ts";
import { type Answer, accountOf, replyOf } from "./answer.ts";
import { asksForCache, cacheMark } from "./cache.ts";
import { failureError, readFailure } from "./failure.ts";
import { sdkMessages, splitMessages } from "./messages.ts";
import { type ToolNames, toolNames } from "./tool-names.ts";
import { type Fetch, streamingFetch, type Wire } from "./text-stream.ts";

export interface CallTarget {
  /** Over a `fetch` of the call's own. */
  readonly model: (fetch: Fetch) => LanguageModel;
  readonly wire: Wire;
  readonly entry: ModelEntry;
  /** False when the server knows no JSON schema: then the schema goes into the instructions. */
  readonly nativeSchema: boolean;
  /** True when the provider keeps the marked beginnings of prompts. */
  readonly keepsPrompts: boolean;
}

/** Tokens; at a slow 40 a second it takes 200 s. */
const longestUnstreamed = 8_000;

export interface CallOptions {
  /** Unix ms. */
  readonly now: () => number;
  /** How long a stream may send nothing. */
  readonly idleMs: number;
  readonly onHead: (headers: Headers) => void;
}

/** What has come of an answer so far. */
class Heard {
  text = "";
  /** Text has come. */
  begun = false;
  /** A stream has begun with a 200. */
  opened = false;
  /** Why this side gave it up. */
  silence: Error | undefined;
}

export async function callModel(target: CallTarget, request: ModelRequest, options: CallOptions): Promise<ModelReply> {
  const { now } = options;
  const startedAt = now();
  const own = new AbortController();
  const stop = (): void => own.abort(request.signal.reason);
  request.signal.addEventListener("abort", stop, { once: true });
  if (request.signal.aborted) stop();
  const heard = new Heard();
  const mayBeLong = (request.maxOutputTokens ?? Number.POSITIVE_INFINITY) > longestUnstreamed;
  const streams = request.onDelta !== undefined || mayBeLong;
  const watch = streams ? watchFor(options.idleMs, heard, own) : undefined;
  try {
    const answer = await answerOf(target, request, { options, heard, streams, signal: own.signal, watch });
    return replyOf(request, target.entry, answer, now() - startedAt);
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    // The SDK's own streams end in silence when they are aborted, and look like an answer that was cut.
    if (error instanceof BatonError && heard.silence === undefined) throw error;
    throw failedAnswer(target, request, heard, error, now);
  } finally {
    watch?.clear();
    request.signal.removeEventListener("abort", stop);
    own.abort();
  }
}

/**
 * Ends a call whose stream sends nothing for `idleMs`. What came while this process was busy is read first: timers come
 * before sockets in a turn of the event loop.
 */
function watchFor(idleMs: number, heard: Heard, own: AbortController) {
  let heardCount = 0;
  const timer = setTimeout(() => {
    const before = heardCount;
    setImmediate(() => {
      if (heardCount !== before) return;
      heard.silence = new Error(`it sent nothing for ${idleMs} ms`);
      own.abort(heard.silence);
    });
  }, idleMs);
  const heardOf = (): void => {
    heardCount += 1;
    timer.refresh();
  };
  return { heardOf, clear: () => clearTimeout(timer) };
}

interface Calling {
  readonly options: CallOptions;
  readonly heard: Heard;
  readonly streams: boolean;
  readonly signal: AbortSignal;
  readonly watch: ReturnType<typeof watchFor> | undefined;
}

async function answerOf(target: CallTarget, request: ModelRequest, calling: Calling): Promise<Answer> {
  const { options, heard, streams, signal, watch } = calling;
  const names = toolNames((request.tools ?? []).map(({ name }) => name));
  const settings = settingsOf(target, request, names, signal);
  const hear = (text: string): void => {
    heard.begun = true;
    heard.text += text;
    request.onDelta?.(text);
  };
  const send: Fetch = async (input, init) => {
    const response = await fetch(input, init);
    options.onHead(response.headers);
    watch?.heardOf();
    return response;
  };
  const listener = {
    onOpen: () => {
      heard.opened = true;
    },
    onBytes: () => watch?.heardOf(),
    onText: hear,
  };
  const isText = request.outputSchema === undefined;
  const asked = {
    ...settings,
    model: target.model(streams && isText ? streamingFetch(target.wire, listener, send) : send),
  };
  if (!streams || isText) return await whole(asked, names);
  return await streamed(asked, hear, () => watch?.heardOf());
}

function failedAnswer(
  target: CallTarget,
  request: ModelRequest,
  heard: Heard,
  error: unknown,
  now: () => number,
): unknown {
  const isUnreadable = NoOutputGeneratedError.isInstance(error) || InvalidResponseDataError.isInstance(error);
  const begun = heard.begun || heard.opened || isUnreadable;
  const failure = failureError(readFailure(heard.silence ?? error, begun), request.model, now);
  if (!(failure instanceof BatonError)) return failure;
  // The input was read, at the least, of what began and was cut.
  const wasSpent = heard.begun || (heard.opened && failure.code === "output-cut");
  const account = wasSpent ? accountOf(request, target.entry, heard.text, undefined) : {};
  return new BatonError(failure.code, failure.message, {
    cause: failure.cause,
    details: {
      ...failure.details,
      ...account,
      ...(heard.begun && { text: heard.text.slice(0, 20_000) }),
      ...(heard.silence !== undefined && { silent: true }),
    },
  });
}

function settingsOf(target: CallTarget, request: ModelRequest, names: ToolNames, abortSignal: AbortSignal) {
  const { instructions, conversation } = splitMessages(request.messages);
  const schema = request.outputSchema;
  const told = [instructions, target.nativeSchema || schema === undefined ? undefined : schemaInstruction(schema)];
  const system = told.filter((text) => text !== undefined).join("\n\n");
  const isKept = target.keepsPrompts && asksForCache(request);
  const messages = sdkMessages(conversation, names);
  return {
    maxRetries: 0,
    abortSignal,
    messages: isKept ? markedAtEnd(messages) : messages,
    ...(system === "" ? {} : { instructions: isKept ? marked(system) : system }),
    ...(request.maxOutputTokens === undefined ? {} : { maxOutputTokens: request.maxOutputTokens }),
    ...(schema === undefined ? {} : { output: unparsedObject(schema) }),
    ...(request.tools === undefined || request.tools.length === 0 ? {} : toolsOf(request.tools, names)),
    ...(request.toolChoice === undefined ? {} : { toolChoice: request.toolChoice }),
  };
}

const marked = (content: string) => ({ role: "system" as const, content, providerOptions: cacheMark });

function markedAtEnd(messages: ModelMessage[]): ModelMessage[] {
  return messages.map((message, at) =>
    at === messages.length - 1 ? { ...message, providerOptions: cacheMark } : message,
  );
}

/** Without what would run them. */
function toolsOf(tools: readonly ModelTool[], names: ToolNames): { readonly tools: ToolSet } {
  const told = tools.map(({ name, description, inputSchema }) => [
    names.toWire(name),
    { description, inputSchema: jsonSchema(inputSchema as JSONSchema7) },
  ]);
  return { tools: Object.fromEntries(told) as ToolSet };
}

/** Asks for the schema on the wire and leaves the text as it came: `answer.ts` reads it, so that a bad one keeps its account. */
function unparsedObject(schema: JSONSchema7) {
  return {
    name: "object",
    responseFormat: Promise.resolve({ type: "json" as const, schema }),
    parseCompleteOutput: async ({ text }: { text: string }) => text,
    parsePartialOutput: async () => undefined,
    createElementStreamTransform: () => undefined,
  };
}

const schemaInstruction = (schema: unknown): string =>
  `Answer with one JSON object and nothing else. It must match this JSON Schema:\n${JSON.stringify(schema)}`;

type Settings = ReturnType<typeof settingsOf> & { readonly model: LanguageModel };

async function whole(settings: Settings, names: ToolNames): Promise<Answer> {
  const result = await generateText(settings);
  return {
    text: result.text,
    toolCalls: result.toolCalls.map(({ toolCallId, toolName, input }) => ({
      id: toolCallId,
      tool: names.fromWire(toolName),
      input,
    })),
    finishReason: result.finishReason,
    rawFinishReason: result.rawFinishReason,
    usage: result.usage,
  };
}

async function streamed(settings: Settings, hear: (text: string) => void, onPart: () => void): Promise<Answer> {
  // The error part of the stream carries what onError would log.
  const result = streamText({ ...settings, onError: () => {} });
  let text = "";
  let ended: Pick<Answer, "finishReason" | "rawFinishReason" | "usage"> | undefined;
  for await (const part of result.stream) {
    onPart();
    if (part.type === "text-delta") {
      text += part.text;
      hear(part.text);
    } else if (part.type === "error") {
      throw part.error;
    } else if (part.type === "finish") {
      ended = { finishReason: part.finishReason, rawFinishReason: part.rawFinishReason, usage: part.totalUsage };
    }
  }
  return { text, toolCalls: [], ...(ended ?? { finishReason: "other", rawFinishReason: undefined, usage: undefined }) };
}
