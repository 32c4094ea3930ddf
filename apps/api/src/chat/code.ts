/**
 * The code of chat.
 *
 * 1. The message is kept with what was decided about it before anything is answered.
 * 2. A closed connection cancels nothing; `stop` does.
 */
import { taskStates } from "@baton/core/lifecycle";
import type { TaskState } from "@baton/core/lifecycle";
import type { ApiDeps } from "../deps.ts";
import { wantsEventStream } from "../routing/call.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { refOf } from "../tasks/creation.ts";
import type { TaskCreation } from "../tasks/creation.ts";
import { taskOf } from "../tasks/code.ts";
import { said } from "./message.ts";
import { escalationText } from "./reply-text.ts";
import { uiStream } from "./streams.ts";

const liveStates = (Object.keys(taskStates) as TaskState[]).filter((state) => taskStates[state] === "live");

/** Keeps the message and starts what answers it; resolves to the task's id. */
async function begin(deps: ApiDeps, creation: TaskCreation, call: Call<"chat">): Promise<string> {
  const { principal, body, request, idempotency } = call;
  const { text, input } = said(body);
  const settings = await creation.settingsOf(body);
  const { tenantId } = principal;
  const threadId = body.id;
  const mayOrchestrate = body.toolChoice === "auto";
  const decision = mayOrchestrate
    ? await deps.decide(text, { tenantId, model: settings.model, signal: request.signal })
    : undefined;
  const { traces = [], ...kept } = decision ?? {};
  await deps.store.appendMessage({
    tenantId,
    threadId,
    messageId: body.message.id ?? deps.newId(),
    role: "user",
    parts: body.message.parts,
    ...(decision === undefined ? {} : { decision: kept }),
  });
  const intent = { principal, goal: text, input, settings, threadId, idempotency, traces };
  const { taskId } = decision?.orchestrate === true ? await creation.goal(intent) : await creation.reply(intent);
  return taskId;
}

/** A message that became a task is answered in its thread at once; repeating this changes nothing. */
async function sayEscalated(deps: ApiDeps, call: Call<"chat">, taskId: string): Promise<void> {
  const { tenantId } = call.principal;
  await deps.store.appendMessage({
    tenantId,
    threadId: call.body.id,
    messageId: taskId,
    role: "assistant",
    parts: [{ type: "text", text: escalationText }],
    taskId,
  });
}

async function chat(deps: ApiDeps, creation: TaskCreation, call: Call<"chat">) {
  const taskId = call.createdTaskId ?? (await begin(deps, creation, call));
  const { kind } = await taskOf(deps, call.principal, taskId);
  if (kind === "reply") return { stream: "reply" as const, taskId };
  await sayEscalated(deps, call, taskId);
  if (wantsEventStream(call.request)) return { stream: "task" as const, taskId };
  return {
    status: 202 as const,
    headers: { location: `/api/v1/tasks/${taskId}` },
    body: { id: taskId, role: "assistant" as const, content: escalationText, taskId, orchestrated: true as const },
  };
}

export function chatCode(deps: ApiDeps, creation: TaskCreation): Pick<RouteCode, "chat" | "resumeChat" | "stopChat"> {
  const active = (tenantId: string, id: string, limit: number) =>
    deps.store.listTasks({ tenantId, threadId: id, states: liveStates, limit });
  return {
    chat: (call) => chat(deps, creation, call),
    async resumeChat({ principal, params, request }) {
      const [task] = await active(principal.tenantId, params.id, 1);
      if (task === undefined) return new Response(null, { status: 204 });
      return uiStream(
        deps,
        { stream: task.kind === "reply" ? "reply" : "task", taskId: task.taskId },
        principal,
        request,
      );
    },
    async stopChat({ principal, params }) {
      const cancelled: string[] = [];
      for (const { taskId } of await active(principal.tenantId, params.id, 200)) {
        const answer = await deps.store.cancelTask(refOf(principal, taskId), {
          by: principal.keyId,
          reason: "stopped in the chat",
        });
        if (answer?.answer === "changed") cancelled.push(taskId);
      }
      return { status: 200, body: { id: params.id, cancelled } };
    },
  };
}
