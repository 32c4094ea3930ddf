/** A claimed step for tests that need no database. */
import type { ClaimedStep, LogPort, MeterPort, StepOutput } from "@baton/core/ports";
import { taskSettings } from "@baton/core/task";
import type { TaskSettingsInput } from "@baton/core/task";

export const silent: LogPort = { debug() {}, info() {}, warn() {}, error() {} };

export interface Recorded {
  readonly name: string;
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** A meter that keeps what it is given. */
export function recordingMeter(): MeterPort & { readonly recorded: readonly Recorded[] } {
  const recorded: Recorded[] = [];
  const put = (name: string, value: number, labels: Readonly<Record<string, string>> = {}) =>
    void recorded.push({ name, value, labels });
  return { recorded, count: (name, labels, by = 1) => put(name, by, labels), gauge: put, observe: put };
}

export function outputOf(key: string, output: unknown, more: Partial<StepOutput> = {}): StepOutput {
  return {
    key,
    stepId: `id-${key}`,
    description: key,
    state: "completed",
    output,
    sizeBytes: JSON.stringify(output ?? null).length,
    ...more,
  };
}

export function claimedStep(
  changes: Partial<Omit<ClaimedStep, "task">> & { settings?: TaskSettingsInput; input?: unknown } = {},
): ClaimedStep {
  const { settings, input, ...step } = changes;
  return {
    ref: { tenantId: "tenant", taskId: "task", stepId: "step" },
    attemptNo: 1,
    failureCount: 0,
    crashCount: 0,
    key: "think",
    kind: "user",
    type: "llm",
    description: "",
    config: {},
    retry: {},
    timeoutMs: 60_000,
    pool: "default",
    rank: 1,
    startedAt: 0,
    continued: false,
    joining: false,
    inputs: [],
    conditions: [],
    task: {
      kind: "plan",
      goal: "the goal",
      input: input ?? null,
      settings: taskSettings.parse(settings ?? {}),
      threadId: undefined,
      revisionCount: 0,
      createdAt: 0,
      rootTaskId: undefined,
      depth: 0,
    },
    ...step,
  };
}
