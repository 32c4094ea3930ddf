/** The routes of chat and orchestrate. */
import { z } from "zod";
import {
  chatBody,
  escalatedReply,
  orchestrateBody,
  orchestrated,
  orchestration,
  orchestrationCancelled,
  orchestrationQuery,
  stopAnswer,
  threadMessages,
} from "../wire/chat.ts";
import { threadId } from "../wire/scalars.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

const base = { tag: "chat" } as const;
const byThread = z.strictObject({ id: threadId });
const uiStream = "The AI SDK UI message stream (header `x-vercel-ai-ui-message-stream: v1`).";

const orchestrate = <P extends string>(path: P) =>
  ({
    ...base,
    method: "POST",
    path,
    summary: "Decompose a goal and run it; waits up to 30 s for the plan",
    scope: "write",
    idempotent: true,
    body: orchestrateBody,
    bodyExample: example.orchestrateBody,
    answers: [
      {
        status: 202,
        description: "The task goes on; without steps when planning takes longer than 30 s.",
        schema: orchestrated,
        example: example.orchestrated,
      },
    ],
    errors: ["unknown-model", "unknown-mention", "unknown-mcp-server", "offline-cannot-plan", "planning-failed"],
  }) as const satisfies RouteShape;

const status = <P extends string>(path: P) =>
  ({
    ...base,
    method: "GET",
    path,
    summary: "How far an orchestrated task is",
    scope: "read",
    query: orchestrationQuery,
    answers: [{ status: 200, description: "Its state now.", schema: orchestration, example: example.orchestration }],
    errors: ["not-found"],
  }) as const satisfies RouteShape;

const cancel = <P extends string>(path: P) =>
  ({
    ...base,
    method: "DELETE",
    path,
    summary: "Cancel an orchestrated task",
    scope: "write",
    query: orchestrationQuery,
    answers: [
      {
        status: 200,
        description: "It is cancelled; running steps are told to stop.",
        schema: orchestrationCancelled,
        example: { taskId: example.taskId, status: "cancelled" },
      },
    ],
    errors: ["not-found", "illegal-transition"],
  }) as const satisfies RouteShape;

export const chatRoutes = {
  chat: {
    ...base,
    method: "POST",
    path: "/api/chat",
    summary: "Say one message; a simple one is answered as a stream, a complex one becomes a task",
    scope: "write",
    idempotent: true,
    headers: {
      "Accept": "`text/event-stream` asks for a UI stream with `data-task` parts when the message becomes a task.",
    },
    body: chatBody,
    bodyExample: example.chatBody,
    answers: [
      { status: 202, description: "The message became a task.", schema: escalatedReply, example: example.escalated },
      { status: 200, media: "text/event-stream", description: uiStream, example: example.uiStream },
    ],
    errors: [
      "unknown-model",
      "unknown-mention",
      "unknown-mcp-server",
      "attachment-refused",
      "thread-busy",
      "not-found",
      "forbidden",
      "illegal-transition",
    ],
  },
  getThread: {
    ...base,
    method: "GET",
    path: "/api/chat/{id}/messages",
    summary: "A thread's messages, as a page shows them after a reload",
    scope: "read",
    params: byThread,
    answers: [{ status: 200, description: "The thread.", schema: threadMessages, example: example.threadMessages }],
    errors: ["not-found"],
  },
  resumeChat: {
    ...base,
    method: "GET",
    path: "/api/chat/{id}/stream",
    summary: "Resume the stream of a thread's active reply",
    scope: "read",
    params: byThread,
    answers: [
      { status: 200, media: "text/event-stream", description: uiStream, example: example.uiStream },
      { status: 204, description: "Nothing is active." },
    ],
    errors: [],
  },
  stopChat: {
    ...base,
    method: "POST",
    path: "/api/chat/{id}/stop",
    summary: "Cancel what a thread is working on (a closed tab is not a cancel)",
    scope: "write",
    params: byThread,
    answers: [
      {
        status: 200,
        description: "The tasks that were cancelled.",
        schema: stopAnswer,
        example: { id: "thread-1", cancelled: [example.taskId] },
      },
    ],
    errors: ["not-found"],
  },
  chatOrchestrate: orchestrate("/api/chat/orchestrate"),
  chatOrchestration: status("/api/chat/orchestrate"),
  cancelChatOrchestration: cancel("/api/chat/orchestrate"),
  orchestrate: orchestrate("/orchestrate"),
  orchestration: status("/orchestrate"),
  cancelOrchestration: cancel("/orchestrate"),
} as const satisfies Record<string, RouteShape>;
