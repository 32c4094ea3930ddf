/**
 * One call to a language model through the AI SDK's providers.
 *
 * 1. One request per call; the step's policy is the only retry layer.
 * 2. Deltas arrive in order, all of them before the reply.
 * 3. Streams when `onDelta` is given, and whenever the answer may be long: fetch gives a request up that has
 *    no response header after 300 s, and an unstreamed one has none before the answer is whole.
 * 4. The connection belongs to the call: however it ends, its socket is released or closed at once.
 * 5. The provider is asked by the SDK's language model interface, not through `streamText`: that puts nine more streams
 *    around each answer, 110 kB for as long as it is open. Text does without the provider's streams too.
 */
import { BatonError } from "@baton/core";
import type { ModelReply, ModelRequest } from "@baton/core/ports";
import type { AnthropicProvider } from "@ai-sdk/anthropic";
import type { ModelEntry } from "../catalogue/entry.ts";
import { splitMessages } from "../tokens.ts";
import { type Answer, accountOf, replyOf } from "./answer.ts";
import { failureError, readFailure } from "./failure.ts";
import { type Fetch, streamingFetch, type Wire } from "./text-stream.ts";

type LanguageModel = ReturnType<AnthropicProvider>;
type CallOptions = Parameters<LanguageModel["doStream"]>[0];
type Finish = Awaited<ReturnType<LanguageModel["doGenerate"]>>;

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
    const options = optionsOf(target, request, signal);
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
    const answer =
      streams && !isText ? await streamed(target.model(), options, hear) : await whole(target.model(ownFetch), options);
    return replyOf(request, target.entry, answer, now() - startedAt);
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    if (error instanceof BatonError) throw error;
    const begun = seen.begun || seen.opened || isUnreadableAnswer(error);
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

/** By its name: a provider may bring another copy of the class. */
const isUnreadableAnswer = (error: unknown): boolean =>
  error instanceof Error && error.name === "AI_InvalidResponseDataError";

function optionsOf(target: CallTarget, request: ModelRequest, abortSignal: AbortSignal): CallOptions {
  const { instructions, conversation } = splitMessages(request.messages);
  const schema = request.outputSchema;
  const told = [instructions, target.nativeSchema || schema === undefined ? undefined : schemaInstruction(schema)];
  const system = told.filter((text) => text !== undefined).join("\n\n");
  return {
    abortSignal,
    prompt: [
      ...(system === "" ? [] : [{ role: "system" as const, content: system }]),
      ...conversation.map(({ role, content }) => ({ role, content: [{ type: "text" as const, text: content }] })),
    ],
    ...(request.maxOutputTokens === undefined ? {} : { maxOutputTokens: request.maxOutputTokens }),
    ...(schema === undefined ? {} : { responseFormat: { type: "json", schema } }),
  };
}

const schemaInstruction = (schema: unknown): string =>
  `Answer with one JSON object and nothing else. It must match this JSON Schema:\n${JSON.stringify(schema)}`;

async function whole(model: LanguageModel, options: CallOptions): Promise<Answer> {
  const { content, structuredOutputText, ...end } = await model.doGenerate(options);
  const texts = content.map((part) => (part.type === "text" ? part.text : ""));
  return { text: structuredOutputText ?? texts.join(""), ...endOf(end) };
}

async function streamed(model: LanguageModel, options: CallOptions, hear: (text: string) => void): Promise<Answer> {
  const { stream } = await model.doStream(options);
  let text = "";
  let end: ReturnType<typeof endOf> = { finishReason: "other", rawFinishReason: undefined, usage: undefined };
  for await (const part of stream) {
    if (part.type === "text-delta" && part.delta !== "") {
      text += part.delta;
      hear(part.delta);
    } else if (part.type === "error") {
      throw part.error;
    } else if (part.type === "finish") {
      end = endOf(part);
    }
  }
  return { text, ...end };
}

function endOf({ finishReason, usage }: Pick<Finish, "finishReason" | "usage">): Omit<Answer, "text"> {
  return {
    finishReason: finishReason.unified,
    rawFinishReason: finishReason.raw,
    usage: {
      inputTokens: usage.inputTokens.total,
      outputTokens: usage.outputTokens.total,
      inputTokenDetails: { cacheReadTokens: usage.inputTokens.cacheRead },
    },
  };
}
