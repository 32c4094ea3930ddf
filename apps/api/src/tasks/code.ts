/** The code of the task routes. */
import type { Routes } from "@baton/contracts";
import { BatonError } from "@baton/core";
import type { TaskRef } from "@baton/core";
import type { IntentAnswer, TaskRow } from "@baton/store";
import type { Principal } from "../access/api-key.ts";
import { actionsOf } from "../dead-letters/wire.ts";
import type { ApiDeps } from "../deps.ts";
import type { Cursors } from "../request/cursor.ts";
import { wantsEventStream } from "../routing/call.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { refOf } from "./creation.ts";
import type { TaskCreation } from "./creation.ts";
import { partialOf } from "./partial.ts";
import { resultOf } from "./result.ts";
import { followFrom, traceStream } from "./trace-stream.ts";
import { artifactToWire, iso, present, stepToWire, taskToWire, traceToWire } from "./wire.ts";

type TaskRoute =
  | "createTask"
  | "listTasks"
  | "getTask"
  | "listTaskSteps"
  | "listTaskTraces"
  | "listCheckpoints"
  | "getCheckpoint"
  | "listArtifacts"
  | "downloadArtifact"
  | "getOutput"
  | "whyTask"
  | "cancelTask"
  | "pauseTask"
  | "resumeTask"
  | "retryTask";
type IntentRoute = "cancelTask" | "pauseTask" | "resumeTask" | "retryTask";

export function notFound(what: string): BatonError {
  return new BatonError("not-found", `There is no such ${what}.`);
}

/** A task of this tenant; a foreign one does not exist. */
export async function taskOf(deps: ApiDeps, principal: Principal, taskId: string): Promise<TaskRow> {
  const task = await deps.store.getTask(refOf(principal, taskId));
  if (task === undefined) throw notFound("task");
  return task;
}

export function illegal(taskId: string, verb: string, state: string): BatonError {
  return new BatonError("illegal-transition", `The task ${taskId} is ${state}; ${verb} is not possible then.`);
}

async function intent<Id extends IntentRoute>(
  call: Call<Id>,
  verb: string,
  act: (ref: TaskRef) => Promise<IntentAnswer | undefined>,
) {
  const { id } = (call as Call<"cancelTask">).params;
  const answer = await act(refOf(call.principal, id));
  if (answer === undefined) throw notFound("task");
  if (answer.answer === "illegal") throw illegal(id, verb, answer.state);
  return { status: 200 as const, body: { id, state: answer.state, changed: answer.answer === "changed" } };
}

async function listTasks(deps: ApiDeps, cursors: Cursors, { principal, query }: Call<"listTasks">) {
  const { tenantId } = principal;
  const { threadId } = query;
  const scope = ["tasks", tenantId, query.state ?? [], query.kind ?? "", threadId ?? ""];
  const before =
    query.cursor === undefined
      ? undefined
      : (cursors.open(scope, query.cursor) as { createdAt: number; taskId: string });
  const rows = await deps.store.listTasks({
    tenantId,
    limit: query.limit + 1,
    ...present({ states: query.state, kind: query.kind, threadId, before }),
  });
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  const more = rows.length > query.limit && last !== undefined;
  const nextCursor = more ? cursors.seal(scope, { createdAt: last.createdAt, taskId: last.taskId }) : null;
  return { status: 200 as const, body: { tasks: page.map(taskToWire), nextCursor } };
}

async function listSteps(deps: ApiDeps, cursors: Cursors, { principal, params, query }: Call<"listTaskSteps">) {
  await taskOf(deps, principal, params.id);
  const scope = ["steps", principal.tenantId, params.id, query.kind ?? ""];
  const afterPosition = query.cursor === undefined ? undefined : (cursors.open(scope, query.cursor) as number);
  const rows = await deps.store.listTaskSteps(refOf(principal, params.id), {
    limit: query.limit + 1,
    ...present({ afterPosition, kinds: query.kind === undefined ? undefined : [query.kind] }),
  });
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  const nextCursor = rows.length > query.limit && last !== undefined ? cursors.seal(scope, last.position) : null;
  return { status: 200 as const, body: { steps: page.map(stepToWire), nextCursor } };
}

async function listTraces(deps: ApiDeps, { principal, params, query, request }: Call<"listTaskTraces">) {
  await taskOf(deps, principal, params.id);
  const ref = refOf(principal, params.id);
  if (wantsEventStream(request)) return traceStream(deps, request, ref, followFrom(request, query.after));
  const rows = await deps.store.listTaskTraces(ref, { afterNo: query.after ?? 0, limit: query.limit + 1 });
  const page = rows.slice(0, query.limit);
  const nextAfter = rows.length > query.limit ? (page.at(-1)?.no ?? null) : null;
  return { status: 200 as const, body: { traces: page.map(traceToWire), nextAfter } };
}

async function download(deps: ApiDeps, { principal, params }: Call<"downloadArtifact">): Promise<Response> {
  const found = await deps.store.readTaskArtifact(refOf(principal, params.id), params.artifactId);
  if (found === undefined) throw notFound("artifact");
  const { row, content } = found;
  const fileName = row.name.split(/[/\\]/).at(-1) ?? "artifact";
  return new Response(new Uint8Array(content), {
    headers: {
      "content-type": /^[\w.+-]+\/[\w.+-]+(;[ \w.+=-]*)?$/.test(row.mediaType)
        ? row.mediaType
        : "application/octet-stream",
      // A produced page must never run with this origin's rights.
      "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(fileName).replaceAll("'", "%27")}`,
      "content-security-policy": "default-src 'none'; sandbox",
      "etag": `"${row.sha256}"`,
    },
  });
}

async function checkpointContext(deps: ApiDeps, { principal, params }: Call<"getCheckpoint">) {
  const outputs = await deps.store.checkpointContext(refOf(principal, params.id), params.checkpointId);
  if (outputs === undefined) throw notFound("checkpoint");
  const wire = outputs.map(({ key, stepId, description, state, output, blobId, sizeBytes }) => ({
    key,
    stepId,
    description,
    state,
    sizeBytes,
    ...present({ output, outputBlobId: blobId }),
  }));
  return { status: 200 as const, body: { id: params.checkpointId, outputs: wire } };
}

export function taskCode(
  deps: ApiDeps,
  creation: TaskCreation,
  cursors: Cursors,
): Pick<RouteCode, TaskRoute & keyof Routes> {
  const { store } = deps;
  return {
    async createTask({ principal, body, idempotency, createdTaskId }) {
      const { taskId, kind, state } =
        createdTaskId === undefined
          ? await creation.fromBody(principal, body, idempotency)
          : await taskOf(deps, principal, createdTaskId);
      return { status: 202, headers: { location: `/api/v1/tasks/${taskId}` }, body: { id: taskId, kind, state } };
    },
    listTasks: (call) => listTasks(deps, cursors, call),
    async getTask({ principal, params }) {
      const task = await taskOf(deps, principal, params.id);
      const result = task.state === "completed" ? await resultOf(store, task) : undefined;
      const isCutShort = task.state === "failed" || task.state === "cancelled";
      const partial = isCutShort ? await partialOf(store, refOf(principal, params.id)) : undefined;
      return { status: 200, body: { ...taskToWire(task), ...present({ result, partial }) } };
    },
    listTaskSteps: (call) => listSteps(deps, cursors, call),
    listTaskTraces: (call) => listTraces(deps, call),
    async listCheckpoints({ principal, params }) {
      await taskOf(deps, principal, params.id);
      const rows = await store.listCheckpoints(refOf(principal, params.id));
      const checkpoints = rows.map((row) => ({
        id: row.checkpointId,
        no: row.checkpointNo,
        traceNo: row.traceNo,
        stepCount: row.stepCount,
        createdAt: iso(row.createdAt),
      }));
      return { status: 200, body: { checkpoints } };
    },
    getCheckpoint: (call) => checkpointContext(deps, call),
    async listArtifacts({ principal, params }) {
      await taskOf(deps, principal, params.id);
      return {
        status: 200,
        body: { artifacts: (await store.listArtifacts(refOf(principal, params.id))).map(artifactToWire) },
      };
    },
    downloadArtifact: (call) => download(deps, call),
    async getOutput({ principal, params }) {
      await taskOf(deps, principal, params.id);
      const output = await store.readOutput(refOf(principal, params.id), params.blobId);
      if (output === undefined) throw notFound("output");
      return { status: 200, body: { output } };
    },
    async whyTask({ principal, params }) {
      const task = await taskOf(deps, principal, params.id);
      const waits = (await store.whyTask(refOf(principal, params.id))).map(
        ({ on, since, detail, movedBy, stepId, stepKey, deadLetterKind, inDoubt, questionId, questionKind }) => ({
          on,
          since: iso(since),
          detail,
          movedBy,
          ...present({
            stepId,
            stepKey,
            actions: deadLetterKind === undefined ? undefined : actionsOf(deadLetterKind, inDoubt),
            question:
              questionId === undefined || questionKind === undefined
                ? undefined
                : { id: questionId, kind: questionKind },
          }),
        }),
      );
      return { status: 200, body: { state: task.state, waits } };
    },
    cancelTask: (call) =>
      intent(call, "cancel", (ref) =>
        store.cancelTask(ref, { by: call.principal.keyId, ...present({ reason: call.body?.reason }) }),
      ),
    pauseTask: (call) => intent(call, "pause", (ref) => store.pauseTask(ref, call.principal.keyId, call.body?.reason)),
    resumeTask: (call) =>
      intent(call, "resume", (ref) => store.resumeTask(ref, call.principal.keyId, call.body?.reason)),
    retryTask: (call) => intent(call, "retry", (ref) => store.retryTask(ref, call.principal.keyId, call.body?.reason)),
  };
}
