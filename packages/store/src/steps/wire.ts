/** How claims and outcomes travel to and from the SQL verbs. */
import type { StepRef } from "@baton/core";
import { stepToWire } from "@baton/core/plan";
import type { ClaimedStep, Settlement, StepOutput } from "@baton/core/ports";
import { taskSettings } from "@baton/core/task";

export interface OutputPlace {
  readonly output: unknown;
  readonly blobId: string | undefined;
  readonly bytes: number;
  readonly preview: string;
}

/** An outcome as `baton_v1.settle` reads it. */
export function settlementToWire(settlement: Settlement, place: OutputPlace | undefined): Record<string, unknown> {
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
      wire.output = place?.output;
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

export function claimFromWire(wire: WireClaim): ClaimedStep {
  const { n, t, s, item, inputs, task, ...rest } = wire;
  const claimed = {
    ...rest,
    ref: { tenantId: n, taskId: t, stepId: s } satisfies StepRef,
    inputs: inputs.map(outputFromWire),
    task: { ...task, threadId: task.threadId ?? undefined, settings: taskSettings.parse(task.settings) },
    ...(item === null ? {} : { item }),
  };
  return claimed as unknown as ClaimedStep;
}
