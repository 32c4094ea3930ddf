/** How claims and outcomes travel to and from the SQL verbs. */
import { BatonError } from "@baton/core";
import { stepToWire } from "@baton/core/plan";
import type { ClaimedStep, ClaimedTask, NewChild, Settlement, StepOutput } from "@baton/core/ports";
import { type TaskSettings, taskSettings } from "@baton/core/task";

export interface OutputPlace {
  /** JSON, where the output stands inline. */
  readonly outputJson: string | undefined;
  readonly blobId: string | undefined;
  readonly bytes: number;
  readonly preview: string;
}

/** An outcome as `baton_v1.settle` reads it. An output is JSON already, and is not read again. */
export function settlementToJson(settlement: Settlement, place: OutputPlace | undefined): string {
  const json = JSON.stringify(settlementToWire(settlement, place));
  return place?.outputJson === undefined ? json : `${json.slice(0, -1)},"output":${place.outputJson}}`;
}

function settlementToWire(settlement: Settlement, place: OutputPlace | undefined): Record<string, unknown> {
  const { ref, outcome } = settlement;
  const wire: Record<string, unknown> = {
    n: ref.tenantId,
    t: ref.taskId,
    s: ref.stepId,
    a: settlement.attemptNo,
    outcome: outcome.outcome,
    usage: settlement.usage,
    traces: settlement.traces,
    cont: settlement.mayContinue,
  };
  switch (outcome.outcome) {
    case "completed":
      wire.blob = place?.blobId;
      wire.bytes = place?.bytes;
      wire.preview = place?.preview;
      wire.dead = outcome.deadEdges;
      wire.adds = outcome.adds?.map(stepToWire);
      wire.result = outcome.result;
      wire.estimated = outcome.estimatedDurationMs === undefined ? undefined : Math.round(outcome.estimatedDurationMs);
      break;
    case "retry-later":
      wire.error = outcome.error;
      wire.delay = Math.round(outcome.delayMs);
      break;
    case "exhausted":
    case "held":
      wire.error = outcome.error;
      break;
    case "released":
      wire.reason = outcome.reason;
      wire.error = outcome.error;
      wire.delay = outcome.delayMs === undefined ? undefined : Math.round(outcome.delayMs);
      break;
    case "expanded":
      wire.adds = outcome.items.map(stepToWire);
      wire.concurrency = outcome.concurrency;
      break;
    case "deferred":
      wire.adds = outcome.adds.map(stepToWire);
      break;
    case "asked":
      wire.questions = outcome.questions;
      wire.children = outcome.children?.map(childToWire);
      break;
  }
  return wire;
}

function childToWire({ task, ...child }: NewChild): Record<string, unknown> {
  return { ...child, task: { ...task, steps: task.steps.map(stepToWire) } };
}

export interface WireOutput {
  readonly key: string;
  readonly stepId: string;
  readonly description: string;
  readonly state: StepOutput["state"];
  readonly output: unknown;
  readonly blobId: string | null;
  readonly sizeBytes: number;
}

export interface WireClaim extends Omit<ClaimedStep, "ref" | "item" | "inputs" | "task"> {
  readonly n: string;
  readonly t: string;
  readonly s: string;
  readonly item: { readonly index: number; readonly value: unknown } | null;
  readonly inputs: readonly (WireOutput & { readonly inline: boolean })[];
  readonly revisionCount: number;
  /** Null where the caller knows it. */
  readonly task:
    | (Omit<ClaimedTask, "threadId" | "settings" | "revisionCount" | "rootTaskId" | "depth"> & {
        readonly threadId: string | null;
        /** Absent from verbs of the version before. */
        readonly rootTaskId?: string | null;
        readonly depth?: number;
        readonly settings: unknown;
      })
    | null;
}

export function outputFromWire(wire: WireOutput): StepOutput {
  const { blobId, output, ...rest } = wire;
  if (blobId !== null)
    return {
      key: rest.key,
      stepId: rest.stepId,
      description: rest.description,
      state: rest.state,
      sizeBytes: rest.sizeBytes,
      blobId,
    };
  return {
    key: rest.key,
    stepId: rest.stepId,
    description: rest.description,
    state: rest.state,
    sizeBytes: rest.sizeBytes,
    output,
  };
}

export type SettingsOf = (taskId: string, settings: unknown) => TaskSettings;

const readSettings: SettingsOf = (_taskId, settings) => taskSettings.parse(settings);

/** A task's settings never change, and all its steps bring them along: they are read once, for the last 5,000 tasks. */
export function rememberSettings(): SettingsOf {
  const known = new Map<string, TaskSettings>();
  return (taskId, settings) => {
    const found = known.get(taskId);
    if (found !== undefined) return found;
    const parsed = readSettings(taskId, settings);
    const oldest = known.size >= 5_000 ? known.keys().next().value : undefined;
    if (oldest !== undefined) known.delete(oldest);
    known.set(taskId, parsed);
    return parsed;
  };
}

/**
 * `known`: the task, where the wire does not bring it.
 *
 * Field by field: an object made by `...rest` is a dictionary, which takes three times the memory.
 */
export function claimFromWire(
  wire: WireClaim,
  settingsOf: SettingsOf = readSettings,
  known?: ClaimedTask,
): ClaimedStep {
  const { n: tenantId, t: taskId, s: stepId, item, task } = wire;
  const facts =
    task === null
      ? known
      : {
          ...task,
          threadId: task.threadId ?? undefined,
          settings: settingsOf(taskId, task.settings),
          rootTaskId: task.rootTaskId ?? undefined,
          depth: task.depth ?? 0,
        };
  if (facts === undefined) {
    throw new BatonError("internal", `Nothing is known of the task ${taskId} of a claimed step.`);
  }
  return {
    ref: { tenantId, taskId, stepId },
    attemptNo: wire.attemptNo,
    failureCount: wire.failureCount,
    crashCount: wire.crashCount,
    key: wire.key,
    kind: wire.kind,
    type: wire.type,
    description: wire.description,
    config: wire.config,
    retry: wire.retry,
    timeoutMs: wire.timeoutMs,
    pool: wire.pool,
    rank: wire.rank,
    startedAt: wire.startedAt,
    continued: wire.continued,
    joining: wire.joining,
    inputs: wire.inputs.map(outputFromWire),
    conditions: wire.conditions,
    task: {
      kind: facts.kind,
      goal: facts.goal,
      input: facts.input,
      settings: facts.settings,
      threadId: facts.threadId,
      revisionCount: wire.revisionCount,
      createdAt: facts.createdAt,
      rootTaskId: facts.rootTaskId,
      depth: facts.depth,
    },
    ...(item === null ? {} : { item }),
  };
}
