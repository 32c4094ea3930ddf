/** The code of orchestrate, under both of its paths. */
import type { OperationId, Routes } from "@baton/contracts";
import { BatonError, errorCodes } from "@baton/core";
import type { ErrorCode, TaskRef } from "@baton/core";
import type { TaskRow } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import { watchTask } from "../live/task-watch.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { illegal, notFound, taskOf } from "../tasks/code.ts";
import { refOf } from "../tasks/creation.ts";
import type { TaskCreation } from "../tasks/creation.ts";
import { plannedSteps } from "../tasks/result.ts";
import { orchestrationOf } from "./status.ts";

type OrchestrateRoute = Extract<OperationId, `${string}rchestrat${string}`>;

/** Until the plan is there, the task rests, or the caller has waited long enough. */
async function awaitPlan(deps: ApiDeps, ref: TaskRef, signal: AbortSignal): Promise<TaskRow | undefined> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(deps.planWaitMs)]);
  const watch = await watchTask(deps.live, deps.log, ref.taskId, until);
  try {
    for (;;) {
      const task = await deps.store.getTask(ref);
      if (task === undefined || task.totalSteps > 0 || task.state === "failed" || task.finishedAt !== undefined)
        return task;
      if (until.aborted) return task;
      let woken = await watch.next(deps.pollMs);
      while (woken === "live") {
        watch.take();
        woken = await watch.next(deps.pollMs);
      }
    }
  } finally {
    await watch.close();
  }
}

/** A plan that could not be made is an error to whoever waits for it; the task stays and says the same. */
function planFailure(task: TaskRow): BatonError {
  const { code, message } = task.lastError ?? { code: "planning-failed", message: "The goal could not be planned." };
  const known = Object.hasOwn(errorCodes, code) && errorCodes[code as ErrorCode].status !== 500;
  return new BatonError(known ? (code as ErrorCode) : "planning-failed", message, { details: { taskId: task.taskId } });
}

type StartCall = Call<"orchestrate"> | Call<"chatOrchestrate">;
type StatusCall = Call<"orchestration"> | Call<"chatOrchestration">;
type CancelCall = Call<"cancelOrchestration"> | Call<"cancelChatOrchestration">;

async function start(creation: TaskCreation, { principal, body, idempotency }: StartCall): Promise<string> {
  const settings = await creation.settingsOf(body);
  const input = body.attachments === undefined ? undefined : { attachments: body.attachments };
  const { goal, threadId } = body;
  return (await creation.goal({ principal, goal, input, settings, threadId, traces: [], idempotency })).taskId;
}

async function orchestrate(deps: ApiDeps, creation: TaskCreation, call: StartCall) {
  const { principal, request, createdTaskId } = call;
  const taskId = createdTaskId ?? (await start(creation, call));
  const ref = refOf(principal, taskId);
  const task = await awaitPlan(deps, ref, request.signal);
  if (task?.state === "failed" && task.totalSteps === 0) throw planFailure(task);
  const steps = task === undefined ? [] : await plannedSteps(deps.store, ref, 1_000);
  const keys = new Map(steps.map(({ stepId, key }) => [stepId, key]));
  return {
    status: 202 as const,
    headers: { location: `/api/v1/tasks/${taskId}` },
    body: {
      taskId,
      status: "queued" as const,
      strategy: {
        steps: steps.map(({ key, description, type, dependsOn }) => ({
          id: key,
          description,
          type,
          dependsOn: dependsOn.map((name) => keys.get(name) ?? name),
        })),
        totalSteps: steps.length,
      },
      estimatedDuration:
        task?.estimatedDurationMs === undefined ? null : Math.round(task.estimatedDurationMs / 100) / 10,
    },
  };
}

async function cancel(deps: ApiDeps, { principal, query }: CancelCall) {
  const answer = await deps.store.cancelTask(refOf(principal, query.taskId), { by: principal.keyId });
  if (answer === undefined) throw notFound("task");
  if (answer.answer === "illegal") throw illegal(query.taskId, "cancel", answer.state);
  return { status: 200 as const, body: { taskId: query.taskId, status: "cancelled" as const } };
}

export function orchestrationCode(
  deps: ApiDeps,
  creation: TaskCreation,
): Pick<RouteCode, OrchestrateRoute & keyof Routes> {
  const begin = (call: StartCall) => orchestrate(deps, creation, call);
  const status = async ({ principal, query }: StatusCall) => ({
    status: 200 as const,
    body: await orchestrationOf(deps.store, await taskOf(deps, principal, query.taskId)),
  });
  const stop = (call: CancelCall) => cancel(deps, call);
  return {
    orchestrate: begin,
    chatOrchestrate: begin,
    orchestration: status,
    chatOrchestration: status,
    cancelOrchestration: stop,
    cancelChatOrchestration: stop,
  };
}
