/**
 * The OpenAI chat completions shape, `POST /v1/chat/completions`, streaming and not, as Ollama, vLLM
 * and others speak it.
 */
import { errorBody } from "./faults.ts";
import { type ModelServerRequest, type ScriptedReply, replyChunks, replyText } from "./script.ts";
import { type Passage, sendChunks } from "./wire.ts";

function usageOf(request: ModelServerRequest, reply: ScriptedReply): Record<string, unknown> {
  const prompt = reply.usage?.inputTokens ?? Math.ceil(JSON.stringify(request.body["messages"] ?? []).length / 4);
  const completion = reply.usage?.outputTokens ?? Math.ceil(replyText(reply).length / 4);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: reply.usage?.cachedInputTokens ?? 0 },
  };
}

function finishReason(reply: ScriptedReply): string | null {
  if (reply.fault?.kind === "no-finish-reason") return null;
  if (reply.fault?.kind === "refusal") return "content_filter";
  if (reply.lengthLimited === true) return "length";
  return reply.toolCalls === undefined ? "stop" : "tool_calls";
}

function toolCalls(request: ModelServerRequest, reply: ScriptedReply): readonly Record<string, unknown>[] {
  return (reply.toolCalls ?? []).map((call, index) => ({
    index,
    id: `call_${request.no}_${index}`,
    type: "function",
    function: {
      name: call.name,
      arguments: reply.fault?.kind === "malformed-tool-json" ? '{"broken": tru' : JSON.stringify(call.input),
    },
  }));
}

export async function answerOpenAi(request: ModelServerRequest, reply: ScriptedReply, passage: Passage): Promise<void> {
  if (request.stream) return streamCompletion(request, reply, passage);
  const fault = reply.fault;
  if (fault?.kind === "hang") await passage.hang();
  if (fault?.kind === "error-event") {
    return passage.json(200, errorBody("openai", fault.type ?? "server_error", fault.message ?? "Overloaded"));
  }
  const calls = toolCalls(request, reply);
  const body = {
    id: `chatcmpl-${request.no}`,
    object: "chat.completion",
    created: Math.floor(request.at / 1000),
    model: request.body["model"],
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: replyText(reply), ...(calls.length > 0 ? { tool_calls: calls } : {}) },
        finish_reason: finishReason(reply),
      },
    ],
    usage: usageOf(request, reply),
  };
  if (fault?.kind === "cut") await passage.halfJson(body);
  passage.json(200, body);
}

async function streamCompletion(request: ModelServerRequest, reply: ScriptedReply, passage: Passage): Promise<void> {
  const chunk = (delta: Record<string, unknown>, finish: string | null = null, usage?: unknown) =>
    passage.event(undefined, {
      id: `chatcmpl-${request.no}`,
      object: "chat.completion.chunk",
      created: Math.floor(request.at / 1000),
      model: request.body["model"],
      choices: usage === undefined ? [{ index: 0, delta, finish_reason: finish }] : [],
      ...(usage === undefined ? {} : { usage }),
    });
  passage.startStream();
  await chunk({ role: "assistant", content: "" });
  await sendChunks(
    passage,
    reply,
    replyChunks(reply),
    (content) => chunk({ content }),
    (type, message) => passage.event(undefined, errorBody("openai", type, message)),
  );
  const calls = toolCalls(request, reply);
  if (calls.length > 0) await chunk({ tool_calls: calls });
  const finish = finishReason(reply);
  if (finish !== null) {
    await chunk({}, finish);
    const options = request.body["stream_options"] as { include_usage?: boolean } | undefined;
    if (options?.include_usage === true) await chunk({}, null, usageOf(request, reply));
    await passage.event(undefined, "[DONE]");
  }
  passage.endStream();
}
