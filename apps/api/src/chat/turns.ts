/**
 * A message begins its turn, or finds its thread busy.
 *
 * 1. The message is kept with what was decided about it before anything is answered; one that is refused is not kept.
 * 2. What a message did to a running task stands in that task's traces.
 */
import type { ChatBody } from "@baton/contracts";
import { BatonError } from "@baton/core";
import { taskStates } from "@baton/core/lifecycle";
import type { TaskState } from "@baton/core/lifecycle";
import { plannedPool } from "@baton/core/plan";
import { toolEffects } from "@baton/core/ports";
import type { NewTrace } from "@baton/core/ports";
import type { TaskSettings } from "@baton/core/task";
import type { TaskRow } from "@baton/store";
import type { Principal } from "../access/api-key.ts";
import type { ApiDeps, Decision } from "../deps.ts";
import type { Call, StreamOfTask } from "../routing/call.ts";
import { refOf } from "../tasks/creation.ts";
import type { TaskCreation } from "../tasks/creation.ts";
import { said } from "./message.ts";
import type { Said, UserMessage } from "./message.ts";
import { escalationText, revisionText, taskPlace } from "./reply-text.ts";

const liveStates = (Object.keys(taskStates) as TaskState[]).filter((state) => taskStates[state] === "live");
const mostTools = 200;

/** Newest first. */
export const activeTasks = (deps: ApiDeps, tenantId: string, threadId: string): Promise<readonly TaskRow[]> =>
  deps.store.listTasks({ tenantId, threadId, states: liveStates, limit: 200 });

interface Turn {
  readonly deps: ApiDeps;
  readonly creation: TaskCreation;
  readonly call: Call<"chat">;
  readonly message: UserMessage;
  readonly messageId: string;
  readonly said: Said;
  readonly settings: TaskSettings;
}

/** Resolves to what the message began, or went into. */
export async function beginTurn(
  deps: ApiDeps,
  creation: TaskCreation,
  call: Call<"chat">,
  message: UserMessage,
): Promise<StreamOfTask> {
  const { principal, body } = call;
  const settings = await creation.settingsOf(body);
  const turn: Turn = {
    ...{ deps, creation, call, message, settings },
    messageId: message.id ?? deps.newId(),
    said: said(message, body.attachments, modelOf(deps, settings).images === true),
  };
  const active = await activeTasks(deps, principal.tenantId, body.id);
  if (active.length === 0) return begin(turn, false);
  switch (body.ifBusy) {
    case "refuse":
      throw new BatonError(
        "thread-busy",
        "The thread works on an earlier message. Wait for its end, stop it, or choose another `ifBusy`.",
        { problems: [{ pointer: "/ifBusy", detail: "says refuse, and the thread is busy" }] },
      );
    case "interrupt":
      await cancelAll(deps, principal, active, "interrupted by a newer message");
      return begin(turn, false);
    case "queue":
      return begin(turn, true);
    case "revise":
      return (await revise(turn, active)) ?? begin(turn, true);
  }
}

/** Resolves to the ids of those that were not over yet. */
export async function cancelAll(
  deps: ApiDeps,
  principal: Principal,
  tasks: readonly TaskRow[],
  reason: string,
): Promise<string[]> {
  const cancelled: string[] = [];
  for (const { taskId } of tasks) {
    const answer = await deps.store.cancelTask(refOf(principal, taskId), { by: principal.keyId, reason });
    if (answer?.answer === "changed") cancelled.push(taskId);
  }
  return cancelled;
}

async function keepMessage({ deps, call, message, messageId }: Turn, decision?: Omit<Decision, "traces">) {
  await deps.store.appendMessage({
    tenantId: call.principal.tenantId,
    threadId: call.body.id,
    messageId,
    role: "user",
    parts: message.parts,
    ...(decision === undefined ? {} : { decision }),
  });
}

/** Undefined where nothing runs whose plan could be revised by it. */
async function revise(turn: Turn, active: readonly TaskRow[]): Promise<StreamOfTask | undefined> {
  const { deps, call, said: words } = turn;
  const { tenantId, keyId } = call.principal;
  const task = active.find(({ kind, intent }) => kind === "goal" && intent === "none");
  if (task === undefined || words.input !== undefined) return undefined;
  if ((await deps.store.amendGoal(task, { text: words.text, by: keyId })) !== "amended") return undefined;
  await keepMessage(turn);
  const messageId = deps.newId();
  await deps.store.appendMessage({
    tenantId,
    threadId: call.body.id,
    messageId,
    role: "assistant",
    parts: [{ type: "text", text: revisionText }, taskPlace(task.taskId)],
    taskId: task.taskId,
    answerDue: true,
  });
  return { stream: "task", taskId: task.taskId, messageId };
}

async function begin(turn: Turn, waitsForThread: boolean): Promise<StreamOfTask> {
  const { deps, creation, call, said: words, settings } = turn;
  const { principal, body, request, idempotency } = call;
  const { tenantId } = principal;
  const decision =
    body.toolChoice === "auto"
      ? await deps.decide(words.text, { tenantId, model: settings.model, signal: request.signal })
      : undefined;
  const { traces = [], ...kept } = decision ?? {};
  const intent = { principal, goal: words.text, input: words.input, settings, threadId: body.id, idempotency, traces };
  if (decision?.orchestrate === true) {
    await keepMessage(turn, kept as Omit<Decision, "traces">);
    const { taskId } = await creation.goal({ ...intent, waitsForThread });
    return { stream: "task", taskId };
  }
  const given = await toolsFor(turn);
  await keepMessage(turn, decision === undefined ? undefined : (kept as Omit<Decision, "traces">));
  const { taskId } = await creation.reply({
    ...intent,
    waitsForThread,
    traces: [...traces, ...given.traces],
    settings: given.tools.length === 0 ? settings : withTools(settings, given.tools, body.toolChoice),
    ...(given.tools.length > 0 && { tools: given.tools }),
  });
  return { stream: "reply", taskId };
}

function modelOf(deps: ApiDeps, settings: TaskSettings) {
  const ref = deps.models.resolve(settings.model);
  const found = deps.models
    .list()
    .find(({ ref: { provider, model } }) => provider === ref.provider && model === ref.model);
  return { offline: found?.offline ?? true, images: found?.images };
}

/** The tools of an answer; none without a model that could call one, or a worker that would. */
async function toolsFor({ deps, call, settings }: Turn): Promise<{ tools: readonly string[]; traces: NewTrace[] }> {
  const none = { tools: [], traces: [] };
  if (call.body.toolChoice === "none" || modelOf(deps, settings).offline) return none;
  const tools = settings.tools ?? deps.tools.list().map(({ name }) => name);
  if (tools.length === 0) return none;
  if (tools.length > mostTools) {
    const detail = `There are ${tools.length} tools, and an answer may have ${mostTools}: mention those that it may call.`;
    throw new BatonError("invalid-request", detail, { problems: [{ pointer: "/mentions", detail }] });
  }
  if (await deps.store.poolServed(plannedPool)) return { tools, traces: [] };
  const message = `Answered without tools: no worker serves the pool "${plannedPool}".`;
  return { tools: [], traces: [{ type: "note", data: { message } }] };
}

function withTools(settings: TaskSettings, tools: readonly string[], toolChoice: ChatBody["toolChoice"]): TaskSettings {
  const asks = { effects: [...toolEffects], quorum: 1 };
  const approvals = toolChoice === "manual" ? [...(settings.approvals ?? []), asks] : settings.approvals;
  return { ...settings, tools: [...tools], ...(approvals !== undefined && { approvals }) };
}

/** A message that became a task is answered in its thread at once; repeating this changes nothing. */
export async function sayEscalated(deps: ApiDeps, call: Call<"chat">, taskId: string): Promise<void> {
  await deps.store.appendMessage({
    tenantId: call.principal.tenantId,
    threadId: call.body.id,
    messageId: taskId,
    role: "assistant",
    parts: [{ type: "text", text: escalationText }, taskPlace(taskId)],
    taskId,
    answerDue: true,
  });
}
