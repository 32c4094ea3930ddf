/** How far a task is, in the fields that users of orchestrate know. */
import { statusOfStep, statusOfTask } from "@baton/contracts";
import type { Orchestration } from "@baton/contracts";
import { stepStates } from "@baton/core/lifecycle";
import type { ClientStore, TaskRow } from "@baton/store";
import { plannedSteps } from "../tasks/result.ts";
import { iso, present, progressOf } from "../tasks/wire.ts";
import { traceMessage } from "./trace-message.ts";

/** Steps that one answer lists; a larger plan is read with GET /api/v1/tasks/{id}/steps. */
const maxListed = 1_000;
const latestTraces = 10;

export async function orchestrationOf(
  store: Pick<ClientStore, "listTaskSteps" | "listTaskTraces">,
  task: TaskRow,
): Promise<Orchestration> {
  const ref = { tenantId: task.tenantId, taskId: task.taskId };
  const steps = await plannedSteps(store, ref, maxListed);
  const traces = await store.listTaskTraces(ref, { limit: latestTraces, newestFirst: true });
  const keys = new Map(steps.map(({ stepId, key }) => [stepId, key]));
  const open = steps.findIndex(({ state }) => stepStates[state] !== "terminal");
  return {
    taskId: task.taskId,
    status: statusOfTask[task.state],
    goal: task.goal,
    progress: progressOf(task),
    currentStep: open === -1 ? steps.length : open,
    totalSteps: steps.length,
    steps: steps.map(({ description, state }, index) => ({
      index: String(index),
      description,
      status: statusOfStep[state],
    })),
    latestTraces: traces.map((row) => ({
      type: row.type,
      message: traceMessage(row, keys.get(row.stepId ?? "")),
      timestamp: iso(row.createdAt),
    })),
    createdAt: iso(task.createdAt),
    updatedAt: iso(task.updatedAt),
    ...present({
      lastError: task.lastError === undefined ? undefined : `${task.lastError.code}: ${task.lastError.message}`,
      completedAt: task.state === "completed" && task.finishedAt !== undefined ? iso(task.finishedAt) : undefined,
    }),
  };
}
