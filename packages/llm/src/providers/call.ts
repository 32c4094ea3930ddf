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
 * 6. No tool is ever called here: what the model asks for comes back as it was asked.
 */
import { BatonError } from "@baton/core";
import type { ModelReply, ModelRequest, ModelTool } from "@baton/core/ports";
import type { JSONSchema7, LanguageModel, ToolSet } from "ai";
import { generateText, InvalidResponseDataError, jsonSchema, NoOutputGeneratedError, streamText } from "ai";
import type { ModelEntry } from "../catalogue/entry.ts";
import { type Answer, accountOf, replyOf } from "./answer.ts";
import { failureError, readFailure } from "./failure.ts";
import { sdkMessages, splitMessages } from "./messages.ts";
import { type ToolNames, toolNames } from "./tool-names.ts";
import { type Fetch, streamingFetch, type Wire } from "./text-stream.ts";

export interface CallTarget {
  /** Over a `fetch` of the call's own, where one is given. */
  readonly model: (fetch?: Fetch) => LanguageModel;
  readonly wire: Wire;
  readonly entry: ModelEntry;
  /** False when the server knows no JSON schema: then the schema goes into the instructions. */
  readonly nativeSchema: boolean;
}

/** Tokens; at a slow 40 a second it takes 200 s. */
const longestUnstreamed = 8_000;

export async function callModel(target: CallTarget, request: ModelRequest, now: () => number): Promise<ModelReply> {
  const startedAt = now();
  const own = new AbortController();
  const { signal } = own;
  const stop = (): void => own.abort(request.signal.reason);
  request.signal.addEventListener("abort", stop, { once: true });
  if (request.signal.aborted) stop();
  const seen = { text: "", begun: false, opened: false };
  try {
    const names = toolNames((request.tools ?? []).map(({ name }) => name));
    const settings = settingsOf(target, request, names, signal);
    const mayBeLong = (request.maxOutputTokens ?? Number.POSITIVE_INFINITY) > longestUnstreamed;
    const streams = request.onDelta !== undefined || mayBeLong;
    const hear = (text: string): void => {
      seen.begun = true;
      seen.text += text;
      request.onDelta?.(text);
    };
    const open = (): void => {
      seen.opened = true;
    };
    const isText = request.outputSchema === undefined;
    const ownFetch = streams && isText ? streamingFetch(target.wire, { onOpen: open, onText: hear }) : undefined;
    const asked = { ...settings, model: target.model(ownFetch) };
    const answer = streams && !isText ? await streamed(asked, hear) : await whole(asked, names);
    return replyOf(request, target.entry, answer, now() - startedAt);
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    if (error instanceof BatonError) throw error;
    const isUnreadable = NoOutputGeneratedError.isInstance(error) || InvalidResponseDataError.isInstance(error);
    const begun = seen.begun || seen.opened || isUnreadable;
    const failure = failureError(readFailure(error, begun), request.model, now);
    if (!seen.begun || !(failure instanceof BatonError)) throw failure;
    const account = accountOf(request, target.entry, seen.text, undefined);
    throw new BatonError(failure.code, failure.message, {
      cause: failure.cause,
      details: { ...failure.details, ...account, text: seen.text.slice(0, 20_000) },
    });
  } finally {
    request.signal.removeEventListener("abort", stop);
    own.abort();
  }
}

function settingsOf(target: CallTarget, request: ModelRequest, names: ToolNames, abortSignal: AbortSignal) {
  const { instructions, conversation } = splitMessages(request.messages);
  const schema = request.outputSchema;
  const told = [instructions, target.nativeSchema || schema === undefined ? undefined : schemaInstruction(schema)];
  const system = told.filter((text) => text !== undefined).join("\n\n");
  return {
    maxRetries: 0,
    abortSignal,
    messages: sdkMessages(conversation, names),
    ...(system === "" ? {} : { instructions: system }),
    ...(request.maxOutputTokens === undefined ? {} : { maxOutputTokens: request.maxOutputTokens }),
    ...(schema === undefined ? {} : { output: unparsedObject(schema) }),
    ...(request.tools === undefined || request.tools.length === 0 ? {} : toolsOf(request.tools, names)),
    ...(request.toolChoice === undefined ? {} : { toolChoice: request.toolChoice }),
  };
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

async function streamed(settings: Settings, hear: (text: string) => void): Promise<Answer> {
  // The error part of the stream carries what onError would log.
  const result = streamText({ ...settings, onError: () => {} });
  let text = "";
  let ended: Pick<Answer, "finishReason" | "rawFinishReason" | "usage"> | undefined;
  for await (const part of result.stream) {
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
