/** The routes of tasks. */
import { z } from "zod";
import { uuid } from "../wire/scalars.ts";
import {
  artifactList,
  checkpointContext,
  checkpointList,
  createdTask,
  createTaskBody,
  intentAnswer,
  intentBody,
  listStepsQuery,
  listTasksQuery,
  stepPage,
  task,
  taskPage,
  whyAnswer,
} from "../wire/task.ts";
import { listTracesQuery, tracePage } from "../wire/trace.ts";
import { json } from "../wire/scalars.ts";
import type { RouteShape } from "./shape.ts";
import * as example from "./examples.ts";

const byId = z.strictObject({ id: uuid });
const base = { tag: "tasks" } as const;
const read = { ...base, method: "GET", scope: "read", params: byId } as const;

const intent = <V extends string>(verb: V, summary: string, description: string) =>
  ({
    ...base,
    method: "POST",
    path: `/api/v1/tasks/{id}/${verb}`,
    summary,
    scope: "write",
    params: byId,
    body: intentBody,
    bodyOptional: true,
    bodyExample: { reason: "no longer needed" },
    answers: [{ status: 200, description, schema: intentAnswer, example: example.intentAnswer }],
    errors: ["not-found", "illegal-transition"],
  }) as const satisfies RouteShape;

export const taskRoutes = {
  createTask: {
    ...base,
    method: "POST",
    path: "/api/v1/tasks",
    summary: "Start a task from a goal or an explicit plan",
    scope: "write",
    idempotent: true,
    body: createTaskBody,
    bodyExample: example.createTaskBody,
    answers: [
      {
        status: 202,
        description: "The task is durable and goes on; `Location` names it.",
        schema: createdTask,
        example: example.createdTask,
      },
    ],
    errors: ["invalid-plan", "invalid-expression", "unknown-model", "unknown-tool", "tool-disabled", "unknown-mention"],
  },
  listTasks: {
    ...base,
    method: "GET",
    path: "/api/v1/tasks",
    summary: "List tasks, newest first",
    scope: "read",
    query: listTasksQuery,
    answers: [
      { status: 200, description: "One page.", schema: taskPage, example: { tasks: [example.task], nextCursor: null } },
    ],
    errors: ["invalid-cursor"],
  },
  getTask: {
    ...read,
    path: "/api/v1/tasks/{id}",
    summary: "Read one task",
    answers: [{ status: 200, description: "The task.", schema: task, example: example.task }],
    errors: ["not-found"],
  },
  listTaskSteps: {
    ...read,
    path: "/api/v1/tasks/{id}/steps",
    summary: "List a task's steps in the order of the plan",
    query: listStepsQuery,
    answers: [
      { status: 200, description: "One page.", schema: stepPage, example: { steps: [example.step], nextCursor: null } },
    ],
    errors: ["not-found", "invalid-cursor"],
  },
  listTaskTraces: {
    ...read,
    path: "/api/v1/tasks/{id}/traces",
    summary: "List a task's traces, or follow them as they are written",
    query: listTracesQuery,
    headers: {
      "Last-Event-ID": "Number of the last trace the reader has; the stream goes on after it.",
      "Accept": "`text/event-stream` follows; anything else answers one page.",
    },
    answers: [
      {
        status: 200,
        description: "One page.",
        schema: tracePage,
        example: { traces: [example.trace], nextAfter: null },
      },
      {
        status: 200,
        media: "text/event-stream",
        description:
          "`event: trace` with `id` = its number and a `Trace`; `event: live` without id (lossy); `event: end` with a `StreamEnd` when nothing moves any more. A comment every 15 s.",
        example: example.traceStream,
      },
    ],
    errors: ["not-found"],
  },
  listCheckpoints: {
    ...read,
    path: "/api/v1/tasks/{id}/checkpoints",
    summary: "List a task's checkpoints",
    answers: [
      { status: 200, description: "All of them, oldest first.", schema: checkpointList, example: example.checkpoints },
    ],
    errors: ["not-found"],
  },
  getCheckpoint: {
    ...read,
    path: "/api/v1/tasks/{id}/checkpoints/{checkpointId}",
    summary: "Read the context as it was at a checkpoint",
    params: z.strictObject({ id: uuid, checkpointId: uuid }),
    answers: [
      { status: 200, description: "The outputs settled by then.", schema: checkpointContext, example: example.context },
    ],
    errors: ["not-found"],
  },
  listArtifacts: {
    ...read,
    path: "/api/v1/tasks/{id}/artifacts",
    summary: "List the files a task produced",
    answers: [
      { status: 200, description: "All of them.", schema: artifactList, example: { artifacts: [example.artifact] } },
    ],
    errors: ["not-found"],
  },
  downloadArtifact: {
    ...read,
    path: "/api/v1/tasks/{id}/artifacts/{artifactId}",
    summary: "Download one file",
    params: z.strictObject({ id: uuid, artifactId: uuid }),
    answers: [
      { status: 200, media: "application/octet-stream", description: "The content, in the artifact's own media type." },
    ],
    errors: ["not-found"],
  },
  getOutput: {
    ...read,
    path: "/api/v1/tasks/{id}/outputs/{blobId}",
    summary: "Read a step's output that is too large to stand inside the step",
    params: z.strictObject({ id: uuid, blobId: uuid }),
    answers: [
      { status: 200, description: "The output.", schema: z.strictObject({ output: json }), example: { output: ["…"] } },
    ],
    errors: ["not-found"],
  },
  whyTask: {
    ...read,
    path: "/api/v1/tasks/{id}/why",
    summary: "Say why a task does not move",
    answers: [
      {
        status: 200,
        description: "One entry per waiting thing; none when it is over.",
        schema: whyAnswer,
        example: example.why,
      },
    ],
    errors: ["not-found"],
  },
  cancelTask: intent("cancel", "Cancel a task", "Every open step is cancelled; running ones are told to stop."),
  pauseTask: intent("pause", "Pause a task", "Running steps give their slot back; nothing starts until resume."),
  resumeTask: intent("resume", "Resume a paused task", "It goes on where it was."),
  retryTask: intent(
    "retry",
    "Retry a failed or blocked task",
    "Failed and held steps are reopened; finished ones keep their outputs.",
  ),
} as const satisfies Record<string, RouteShape>;
