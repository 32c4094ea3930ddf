/** Chat: one message, answered as a UI message stream or as a task. */
import type { OperationId, RouteOutput } from "@baton/contracts";
import { send } from "./request.ts";
import type { ClientOptions, RequestInput } from "./request.ts";
import { readServerSentEvents } from "./server-sent-events.ts";

/** A part of the AI SDK UI message stream. */
export type UiPart = { readonly type: string } & Readonly<Record<string, unknown>>;

export type ChatAnswer =
  | { readonly answered: "task"; readonly reply: RouteOutput<"chat"> }
  | { readonly answered: "stream"; readonly parts: AsyncIterable<UiPart> };

async function* partsOf(response: Response): AsyncGenerator<UiPart> {
  if (response.body === null) return;
  for await (const { data } of readServerSentEvents(response.body)) {
    if (data === "[DONE]") return;
    yield JSON.parse(data) as UiPart;
  }
}

const isStream = (response: Response): boolean =>
  (response.headers.get("content-type") ?? "").startsWith("text/event-stream");

export async function chat(options: ClientOptions, input: RequestInput<"chat">): Promise<ChatAnswer> {
  const response = await send(options, "chat" satisfies OperationId, input);
  if (isStream(response)) return { answered: "stream", parts: partsOf(response) };
  return { answered: "task", reply: (await response.json()) as RouteOutput<"chat"> };
}

/** Undefined when the thread has nothing active. */
export async function resumeChat(
  options: ClientOptions,
  threadId: string,
  signal?: AbortSignal,
): Promise<AsyncIterable<UiPart> | undefined> {
  const response = await send(options, "resumeChat", { params: { id: threadId }, signal });
  return response.status === 204 ? undefined : partsOf(response);
}
