/** A thread as a page shows it after a reload. */
import type { TaskRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import type { Call } from "../routing/call.ts";
import { notFound } from "../tasks/code.ts";
import { refOf } from "../tasks/creation.ts";
import { iso } from "../tasks/wire.ts";
import { taskShown } from "./task-part.ts";
import { activeTasks } from "./turns.ts";

const shownMessages = 200;

type Part = { readonly type: string; readonly [field: string]: unknown };

export async function getThread(deps: ApiDeps, { principal, params }: Call<"getThread">) {
  const { tenantId } = principal;
  if (!(await deps.store.threadExists(tenantId, params.id))) throw notFound("thread");
  const rows = await deps.store.listMessages(tenantId, params.id, shownMessages);
  const shown = new Map<string, unknown>();
  const state = async (taskId: string): Promise<unknown> => {
    if (!shown.has(taskId)) shown.set(taskId, await stateOf(deps, await deps.store.getTask(refOf(principal, taskId))));
    return shown.get(taskId);
  };
  const messages = [];
  for (const { messageId: id, role, parts, taskId, createdAt } of rows) {
    const told: Part[] = [];
    for (const part of parts as readonly Part[]) {
      const data = part.type === "data-task" && taskId !== undefined ? await state(taskId) : undefined;
      told.push(data === undefined ? part : { ...part, data });
    }
    const metadata = { createdAt: iso(createdAt), ...(taskId !== undefined && { taskId }) };
    messages.push({ id, role, parts: told, metadata });
  }
  const active = (await activeTasks(deps, tenantId, params.id)).length > 0;
  return { status: 200 as const, body: { id: params.id, messages, active } };
}

/** A task that was pruned has no state any more. */
const stateOf = async (deps: ApiDeps, task: TaskRow | undefined): Promise<unknown> =>
  task === undefined ? undefined : (await taskShown(deps.store, task)).data;
