/**
 * The code of chat.
 *
 * 1. The message is kept with what was decided about it before anything is answered.
 * 2. A closed connection cancels nothing; `stop` does.
 */
import type { ApiDeps } from "../deps.ts";
import { wantsEventStream } from "../routing/call.ts";
import type { Call, RouteCode, StreamOfTask } from "../routing/call.ts";
import type { TaskCreation } from "../tasks/creation.ts";
import { notFound, taskOf } from "../tasks/code.ts";
import { sayApprovals } from "./approvals.ts";
import { escalationText } from "./reply-text.ts";
import { uiStream } from "./streams.ts";
import { getThread } from "./thread.ts";
import { activeTasks, beginTurn, cancelAll, sayEscalated } from "./turns.ts";

async function streamOf(deps: ApiDeps, creation: TaskCreation, call: Call<"chat">): Promise<StreamOfTask> {
  const { principal, body, createdTaskId } = call;
  const { message } = body;
  if (createdTaskId !== undefined) {
    const { kind, taskId } = await taskOf(deps, principal, createdTaskId);
    return { stream: kind === "reply" ? "reply" : "task", taskId };
  }
  if (message.role === "user") return beginTurn(deps, creation, call, message);
  const { kind, taskId } = await sayApprovals(deps, principal, body.id, message);
  return { stream: kind === "reply" ? "reply" : "task", taskId, messageId: message.id, continues: true };
}

async function chat(deps: ApiDeps, creation: TaskCreation, call: Call<"chat">) {
  const stream = await streamOf(deps, creation, call);
  if (stream.stream === "reply" || stream.continues === true) return stream;
  const { taskId } = stream;
  if (stream.messageId === undefined) await sayEscalated(deps, call, taskId);
  if (wantsEventStream(call.request)) return stream;
  return {
    status: 202 as const,
    headers: { location: `/api/v1/tasks/${taskId}` },
    body: {
      id: stream.messageId ?? taskId,
      role: "assistant" as const,
      content: escalationText,
      taskId,
      orchestrated: true as const,
    },
  };
}

type ChatRoute = "chat" | "getThread" | "resumeChat" | "stopChat";

export function chatCode(deps: ApiDeps, creation: TaskCreation): Pick<RouteCode, ChatRoute> {
  return {
    chat: (call) => chat(deps, creation, call),
    getThread: (call) => getThread(deps, call),
    async resumeChat({ principal, params, request }) {
      const { tenantId } = principal;
      // What waits for its turn shows nothing yet.
      const active = await activeTasks(deps, tenantId, params.id);
      const task = active.find(({ state }) => state !== "paused") ?? active.at(-1);
      if (task === undefined) return new Response(null, { status: 204 });
      const { kind, taskId } = task;
      if (kind === "reply") return uiStream(deps, { stream: "reply", taskId }, principal, request);
      const messages = await deps.store.listMessages(tenantId, params.id, 200);
      const messageId = messages.findLast((each) => each.taskId === taskId)?.messageId;
      return uiStream(deps, { stream: "task", taskId, ...(messageId && { messageId }) }, principal, request);
    },
    async stopChat({ principal, params }) {
      const { tenantId } = principal;
      const active = await activeTasks(deps, tenantId, params.id);
      // A goal may name a thread in which nothing was ever said.
      if (active.length === 0 && !(await deps.store.threadExists(tenantId, params.id))) throw notFound("thread");
      const cancelled = await cancelAll(deps, principal, active, "stopped in the chat");
      return { status: 200, body: { id: params.id, cancelled } };
    },
  };
}
