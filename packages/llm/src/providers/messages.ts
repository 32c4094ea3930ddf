/**
 * A prompt as vendors want it: one instruction text, and a conversation without system messages.
 *
 * 1. The results of one turn's calls are one message, as every vendor asks for.
 */
import type { ModelMessage } from "@baton/core/ports";
import type { Base64ImageSource, MessageParam } from "@anthropic-ai/sdk/resources/messages";
import type { ModelMessage as SdkMessage } from "ai";
import type { ToolNames } from "./tool-names.ts";

type Conversation = readonly Exclude<ModelMessage, { readonly role: "system" }>[];
type ToolMessage = Extract<ModelMessage, { readonly role: "tool" }>;

export function splitMessages(messages: readonly ModelMessage[]): {
  readonly instructions: string | undefined;
  readonly conversation: Conversation;
} {
  const system = messages.filter((message) => message.role === "system").map((message) => message.content);
  const conversation = messages.filter((message) => message.role !== "system") as Conversation;
  return { instructions: system.length === 0 ? undefined : system.join("\n\n"), conversation };
}

/** Messages of one role, but for results that follow each other: those are one group. */
function* grouped(conversation: Conversation): Generator<Conversation[number] | readonly ToolMessage[]> {
  let results: ToolMessage[] = [];
  for (const message of conversation) {
    if (message.role === "tool") {
      results.push(message);
      continue;
    }
    if (results.length > 0) yield results;
    results = [];
    yield message;
  }
  if (results.length > 0) yield results;
}

const isResults = (each: Conversation[number] | readonly ToolMessage[]): each is readonly ToolMessage[] =>
  Array.isArray(each);

export function sdkMessages(conversation: Conversation, names: ToolNames): SdkMessage[] {
  return [...grouped(conversation)].map((each): SdkMessage => {
    if (isResults(each)) {
      const content = each.map(({ callId, tool, content: value, isError }) => ({
        type: "tool-result" as const,
        toolCallId: callId,
        toolName: names.toWire(tool),
        output: { type: isError ? ("error-text" as const) : ("text" as const), value },
      }));
      return { role: "tool", content };
    }
    if (each.role !== "assistant") {
      if (each.role === "tool" || each.images === undefined) return { role: "user", content: each.content };
      const images = each.images.map(({ mediaType, base64: data }) => ({ type: "file" as const, mediaType, data }));
      return { role: "user", content: [...images, { type: "text", text: each.content }] };
    }
    if (each.toolCalls === undefined) return { role: "assistant", content: each.content };
    const calls = each.toolCalls.map(({ id, tool, input }) => ({
      type: "tool-call" as const,
      toolCallId: id,
      toolName: names.toWire(tool),
      input,
    }));
    const text = each.content === "" ? [] : [{ type: "text" as const, text: each.content }];
    return { role: "assistant", content: [...text, ...calls] };
  });
}

/** For counting: names count as they are. */
export function anthropicMessages(conversation: Conversation): MessageParam[] {
  return [...grouped(conversation)].map((each): MessageParam => {
    if (isResults(each)) {
      const content = each.map(({ callId, content: text, isError }) => ({
        type: "tool_result" as const,
        tool_use_id: callId,
        content: text,
        is_error: isError,
      }));
      return { role: "user", content };
    }
    if (each.role !== "assistant") {
      if (each.role === "tool" || each.images === undefined) return { role: "user", content: each.content };
      const images = each.images.map(({ mediaType, base64 }) => ({
        type: "image" as const,
        source: { type: "base64" as const, media_type: mediaType as Base64ImageSource["media_type"], data: base64 },
      }));
      return { role: "user", content: [...images, { type: "text", text: each.content }] };
    }
    if (each.toolCalls === undefined) return { role: "assistant", content: each.content };
    const calls = each.toolCalls.map(({ id, tool, input }) => ({ type: "tool_use" as const, id, name: tool, input }));
    const text = each.content === "" ? [] : [{ type: "text" as const, text: each.content }];
    return { role: "assistant", content: [...text, ...calls] };
  });
}
