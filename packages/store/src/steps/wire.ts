/** How claims and outcomes travel to and from the SQL verbs. */
import type { StepRef } from "@baton/core";
import { stepToWire } from "@baton/core/plan";
import type { ClaimedStep, Settlement, StepOutput } from "@baton/core/ports";
import { type TaskSettings, taskSettings } from "@baton/core/task";
import { effectResultToWire } from "../effects/effects.ts";

export interface OutputPlace {
  /** JSON, where the output stands inline. */
  readonly outputJson: string | undefined;
  readonly blobId: string | undefined;
  readonly bytes: number;
  readonly preview: string;
}

/** An outcome as `baton_v1.settle` reads it. Outputs and results of calls are JSON already, and are not read again. */
export function settlementToJson(settlement: Settlement, place: OutputPlace | undefined): string {
  const { effects = [], ref } = settlement;
  let json = JSON.stringify(settlementToWire(settlement, place)).slice(0, -1);
  if (place?.outputJson !== undefined) json += `,"output":${place.outputJson}`;
  if (effects.length > 0) json += `,"effects":[${effects.map((result) => effectResultToWire(ref, result)).join(",")}]`;
  return `${json}}`;
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
      break;
    case "expanded":
      wire.adds = outcome.items.map(stepToWire);
      wire.concurrency = outcome.concurrency;
      break;
    case "deferred":
      wire.adds = outcome.adds.map(stepToWire);
      break;
  }
  return wire;
}

interface WireOutput {
  readonly key: string;
  readonly stepId: string;
  readonly description: string;
  readonly state: StepOutput["state"];
  readonly output: unknown;
  readonly blobId: string | null;
  readonly sizeBytes: number;
}

export interface WireClaim {
  readonly n: string;
  readonly t: string;
  readonly s: string;
  readonly item: { readonly index: number; readonly value: unknown } | null;
  readonly inputs: readonly (WireOutput & { readonly inline: boolean })[];
  readonly task: Omit<ClaimedStep["task"], "threadId" | "settings"> & {
    readonly threadId: string | null;
    readonly settings: unknown;
  };
  readonly [field: string]: unknown;
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

export function claimFromWire(wire: WireClaim, settingsOf: SettingsOf = readSettings): ClaimedStep {
  const { n, t, s, item, inputs, task, ...rest } = wire;
  const claimed = {
    ...rest,
    ref: { tenantId: n, taskId: t, stepId: s } satisfies StepRef,
    inputs: inputs.map(outputFromWire),
    task: { ...task, threadId: task.threadId ?? undefined, settings: settingsOf(t, task.settings) },
    ...(item === null ? {} : { item }),
  };
  return claimed as unknown as ClaimedStep;
}
