/**
 * The Anthropic Messages API as far as a client of ours reads it: `POST /v1/messages`, streaming and
 * not, and `POST /v1/messages/count_tokens`. Source: the API reference, version header 2023-06-01.
 *
 * A request that forces a tool (`tool_choice` type tool or any) gets the object as that tool's input,
 * one with `output_config.format` as the text of the answer.
 */
import { errorBody } from "./faults.ts";
import {
  type ModelServerRequest,
  type ScriptedReply,
  type ScriptedToolCall,
  replyChunks,
  replyText,
} from "./script.ts";
import { type Passage, sendChunks } from "./wire.ts";

interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly cache_creation_input_tokens: number;
}

function usageOf(request: ModelServerRequest, reply: ScriptedReply): Usage {
  return {
    input_tokens:
      reply.usage?.inputTokens ??
      request.cached?.fresh ??
      Math.ceil(JSON.stringify(request.body["messages"] ?? []).length / 4),
    output_tokens: reply.usage?.outputTokens ?? Math.ceil(replyText(reply).length / 4),
    cache_read_input_tokens: reply.usage?.cachedInputTokens ?? request.cached?.read ?? 0,
    cache_creation_input_tokens: request.cached?.written ?? 0,
  };
}

/** The tool the request forces: how the AI SDK asks older models for an object. */
function forcedTool(request: ModelServerRequest): string | undefined {
  const choice = request.body["tool_choice"] as { type?: string; name?: string } | undefined;
  const tools = request.body["tools"] as readonly { name: string }[] | undefined;
  if (choice?.type === "tool") return choice.name;
  return choice?.type === "any" ? tools?.[0]?.name : undefined;
}

function toolCallsOf(request: ModelServerRequest, reply: ScriptedReply): readonly ScriptedToolCall[] {
  const forced = forcedTool(request);
  if (reply.toolCalls !== undefined || forced === undefined || reply.object === undefined) return reply.toolCalls ?? [];
  return [{ name: forced, input: reply.object }];
}

function stopReason(reply: ScriptedReply, calls: readonly ScriptedToolCall[]): string | null {
  if (reply.fault?.kind === "no-finish-reason") return null;
  if (reply.fault?.kind === "refusal") return "refusal";
  if (reply.lengthLimited === true) return "max_tokens";
  return calls.length > 0 ? "tool_use" : "end_turn";
}

export async function answerAnthropic(
  request: ModelServerRequest,
  reply: ScriptedReply,
  passage: Passage,
): Promise<void> {
  const calls = toolCallsOf(request, reply);
  const asText = calls.length > 0 && reply.toolCalls === undefined ? { ...reply, object: undefined, text: "" } : reply;
  if (request.stream) return streamMessage(request, asText, calls, passage);

  const fault = reply.fault;
  if (fault?.kind === "hang") await passage.hang();
  if (fault?.kind === "error-event") {
    return passage.json(200, errorBody("anthropic", fault.type ?? "overloaded_error", fault.message ?? "Overloaded"));
  }
  const text = replyText(asText as ScriptedReply);
  const body = {
    id: `msg_${request.no}`,
    type: "message",
    role: "assistant",
    model: request.body["model"],
    content: [
      ...(text === "" ? [] : [{ type: "text", text }]),
      ...calls.map((call, index) => ({
        type: "tool_use",
        id: `toolu_${request.no}_${index}`,
        name: call.name,
        input: fault?.kind === "malformed-tool-json" ? "{not json" : call.input,
      })),
    ],
    stop_reason: stopReason(reply, calls),
    stop_sequence: null,
    usage: usageOf(request, reply),
  };
  if (fault?.kind === "cut") await passage.halfJson(body);
  passage.json(200, body);
}

async function streamMessage(
  request: ModelServerRequest,
  reply: Partial<ScriptedReply>,
  calls: readonly ScriptedToolCall[],
  passage: Passage,
): Promise<void> {
  const usage = usageOf(request, reply as ScriptedReply);
  const event = (type: string, rest: Record<string, unknown>) => passage.event(type, { type, ...rest });
  passage.startStream();
  await event("message_start", {
    message: {
      id: `msg_${request.no}`,
      type: "message",
      role: "assistant",
      model: request.body["model"],
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...usage, output_tokens: 1 },
    },
  });
  const chunks = replyChunks(reply as ScriptedReply);
  if (chunks.length > 0) await event("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
  await sendChunks(
    passage,
    reply as ScriptedReply,
    chunks,
    (text) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    (type, message) => passage.event("error", errorBody("anthropic", type, message)),
  );
  if (chunks.length > 0) await event("content_block_stop", { index: 0 });
  for (const [index, call] of calls.entries()) {
    const place = index + (chunks.length > 0 ? 1 : 0);
    await event("content_block_start", {
      index: place,
      content_block: { type: "tool_use", id: `toolu_${request.no}_${index}`, name: call.name, input: {} },
    });
    const json = reply.fault?.kind === "malformed-tool-json" ? '{"broken": tru' : JSON.stringify(call.input);
    for (const partial of json.match(/[\s\S]{1,24}/g) ?? []) {
      await event("content_block_delta", { index: place, delta: { type: "input_json_delta", partial_json: partial } });
    }
    await event("content_block_stop", { index: place });
  }
  const reason = stopReason(reply as ScriptedReply, calls);
  if (reason !== null) {
    await event("message_delta", {
      delta: { stop_reason: reason, stop_sequence: null },
      usage: { output_tokens: usage.output_tokens },
    });
    await event("message_stop", {});
  }
  passage.endStream();
}
