/**
 * A page of the AI SDK's own client: `useChat` in jsdom, against a running API.
 *
 * 1. Nothing of Baton is in it but the address, the key and the two things that every client of this API does: one message
 *    a request, and an `Accept` that asks for a stream.
 * 2. Closing a page cancels nothing; two pages are two tabs.
 */
import { Chat, useChat } from "@ai-sdk/react";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses, type UIMessage } from "ai";
import { JSDOM } from "jsdom";
import { createElement, useEffect } from "react";
import { createRoot } from "react-dom/client";
import type { Stack } from "./stack.ts";

export interface TransportOptions {
  /** Of every message's request. */
  readonly body?: object;
}

export function chatTransport(
  { url, key }: Pick<Stack, "url" | "key">,
  { body: more = {} }: TransportOptions = {},
): DefaultChatTransport<UIMessage> {
  return new DefaultChatTransport({
    api: `${url}/api/chat`,
    headers: { authorization: `Bearer ${key}`, accept: "text/event-stream" },
    prepareSendMessagesRequest: ({ id, messages, body }) => ({
      body: { id, message: withoutMetadata(messages.at(-1)), ...more, ...body },
    }),
  });
}

/** What the page got with a message from the thread is the server's own. */
const withoutMetadata = (message: UIMessage | undefined): object => {
  const { id, role, parts = [] } = message ?? {};
  return { id, role, parts };
};

type Helpers = ReturnType<typeof useChat>;

export interface Page {
  readonly chat: Helpers;
  /** What the page shows: of every message its text. */
  text(): string;
  close(): void;
}

export interface PageOptions extends TransportOptions {
  /** As loaded from `GET /api/chat/{id}/messages`. */
  readonly messages?: UIMessage[];
  readonly resume?: boolean;
}

let dom: JSDOM | undefined;

/** React asks for them when it renders. */
function globals(): JSDOM {
  if (dom !== undefined) return dom;
  dom = new JSDOM("<!doctype html><main></main>", { url: "http://localhost/" });
  Object.assign(globalThis, { window: dom.window, document: dom.window.document });
  return dom;
}

function View({
  own,
  onChat,
  resumes,
}: {
  own: Chat<UIMessage>;
  onChat: (helpers: Helpers) => void;
  resumes: boolean;
}) {
  const helpers = useChat({ chat: own });
  onChat(helpers);
  useEffect(() => {
    if (resumes) void own.resumeStream();
  }, [own, resumes]);
  return createElement(
    "ol",
    {},
    helpers.messages.map(({ id, parts }) =>
      createElement(
        "li",
        { key: id },
        parts.map((part) => (part.type === "text" ? part.text : "")),
      ),
    ),
  );
}

export function openPage(api: Pick<Stack, "url" | "key">, threadId: string, options: PageOptions = {}): Page {
  const { window } = globals();
  const element = window.document.createElement("section");
  window.document.body.append(element);
  const root = createRoot(element as unknown as Parameters<typeof createRoot>[0]);
  let chat: Helpers | undefined;
  const own = new Chat<UIMessage>({
    id: threadId,
    transport: chatTransport(api, options),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    ...(options.messages !== undefined && { messages: options.messages }),
  });
  const onChat = (helpers: Helpers) => {
    chat = helpers;
  };
  root.render(createElement(View, { own, onChat, resumes: options.resume === true }));
  return {
    get chat() {
      if (chat === undefined) throw new Error("the page has not rendered yet");
      return chat;
    },
    text: () => element.textContent,
    close() {
      void own.stop();
      root.unmount();
      element.remove();
    },
  };
}

/** As a page loads a thread before it shows it. */
export async function loadThread(stack: Stack, threadId: string): Promise<UIMessage[]> {
  const response = await stack.call(`/api/chat/${threadId}/messages`);
  if (response.status === 404) return [];
  return ((await response.json()) as { messages: UIMessage[] }).messages;
}
