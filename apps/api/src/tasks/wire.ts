/** From the store's rows to what clients see. */
import type { Artifact, Step, Task, Trace } from "@baton/contracts";
import type { TraceRow } from "@baton/core/events";
import type { ArtifactRow, StepRow, TaskRow } from "@baton/store";

export const iso = (ms: number): string => new Date(ms).toISOString();

/** The entries that have a value: optional fields are left out, never null. */
export function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** 100 is kept for completed: a cancelled task did not get there. */
export function progressOf(task: Pick<TaskRow, "state" | "settledSteps" | "totalSteps">): number {
  if (task.state === "completed") return 100;
  return task.totalSteps === 0 ? 0 : Math.min(99, Math.floor((100 * task.settledSteps) / task.totalSteps));
}

type Usage = Pick<TaskRow, "inputTokens" | "outputTokens" | "costUsd">;
const usageOf = ({ inputTokens, outputTokens, costUsd }: Usage) => ({
  inputTokens,
  outputTokens,
  costUsd: costUsd ?? null,
});

export function taskToWire(row: TaskRow): Task {
  return {
    id: row.taskId,
    kind: row.kind,
    goal: row.goal,
    state: row.state,
    intent: row.intent,
    settings: row.settings,
    progress: progressOf(row),
    totalSteps: row.totalSteps,
    settledSteps: row.settledSteps,
    runningSteps: row.runningSteps,
    failedSteps: row.failedSteps,
    revisionCount: row.revisionCount,
    traceNo: row.traceNo,
    usage: usageOf(row),
    offline: row.offline,
    createdAt: iso(row.createdAt),
    updatedAt: iso(row.updatedAt),
    ...(row.input === undefined || row.input === null ? {} : { input: row.input }),
    ...present({
      estimatedDurationMs: row.estimatedDurationMs,
      lastError: row.lastError === undefined ? undefined : { ...row.lastError, causes: [...row.lastError.causes] },
      threadId: row.threadId,
      originTaskId: row.originTaskId,
      parentTaskId: row.parentTaskId,
      rootTaskId: row.rootTaskId,
      startedAt: row.startedAt === undefined ? undefined : iso(row.startedAt),
      finishedAt: row.finishedAt === undefined ? undefined : iso(row.finishedAt),
    }),
  };
}

export function stepToWire(row: StepRow): Step {
  return {
    id: row.stepId,
    position: row.position,
    key: row.key,
    kind: row.kind,
    type: row.type,
    description: row.description,
    state: row.state,
    attemptNo: row.attemptNo,
    failureCount: row.failureCount,
    crashCount: row.crashCount,
    dependsOn: [...row.dependsOn],
    availableAt: iso(row.availableAt),
    outputSizeBytes: row.outputSizeBytes,
    offline: row.offline,
    usage: usageOf(row),
    ...(row.output === undefined || row.output === null ? {} : { output: row.output }),
    ...present({
      parentStepId: row.parentStepId,
      itemIndex: row.itemIndex,
      startedAt: row.startedAt === undefined ? undefined : iso(row.startedAt),
      finishedAt: row.finishedAt === undefined ? undefined : iso(row.finishedAt),
      worker: row.worker,
      error: row.error === undefined ? undefined : { ...row.error, causes: [...row.error.causes] },
      outputBlobId: row.blobId,
      model: row.model,
    }),
  };
}

export function traceToWire(row: TraceRow): Trace {
  return {
    no: row.no,
    type: row.type,
    data: row.data,
    createdAt: iso(row.createdAt),
    ...present({ stepId: row.stepId, attemptNo: row.attemptNo }),
  };
}

export function artifactToWire(row: ArtifactRow): Artifact {
  return {
    id: row.artifactId,
    stepId: row.stepId,
    name: row.name,
    mediaType: row.mediaType,
    sizeBytes: row.sizeBytes,
    sha256: row.sha256,
    createdAt: iso(row.createdAt),
  };
}
