/**
 * A task as its traces tell it.
 *
 * Purpose: from trace rows, in order, to steps with their attempts: what the plan, the progress lines and the timeline
 * are drawn from. Boundary: pure; it prints nothing and asks nobody.
 *
 * 1. A trace type it does not know changes nothing: a newer server may write more.
 */
import type { Trace } from "@baton/contracts";

export type AttemptEnd = "completed" | "failed" | "again" | "released" | "crashed" | "waits" | "cancelled";

export interface TrackedAttempt {
  readonly attemptNo: number;
  readonly worker: string;
  /** Unix ms. */
  readonly startedAt: number;
  endedAt: number | undefined;
  end: AttemptEnd | undefined;
}

export interface TrackedStep {
  readonly id: string;
  readonly key: string;
  readonly kind: string;
  readonly type: string;
  readonly description: string;
  readonly dependsOn: readonly string[];
  readonly parentId: string | undefined;
  readonly attempts: TrackedAttempt[];
  readonly items: TrackedStep[];
  state: "open" | "running" | "waiting" | "completed" | "failed" | "skipped";
}

export interface Tracker {
  /** By id, in the order in which they were added. */
  readonly steps: ReadonlyMap<string, TrackedStep>;
  /** The step that a trace is about, after it was applied. */
  apply(trace: Trace): TrackedStep | undefined;
}

interface AddedStep {
  readonly stepId: string;
  readonly key: string;
  readonly kind: string;
  readonly type: string;
  readonly description: string;
  readonly dependsOn: readonly string[];
  readonly parentStepId?: string;
}

interface StepMove {
  readonly state: TrackedStep["state"];
  readonly end: AttemptEnd;
}

const moves: Readonly<Record<string, StepMove>> = {
  "step-completed": { state: "completed", end: "completed" },
  "step-retry-scheduled": { state: "open", end: "again" },
  "step-failed": { state: "failed", end: "failed" },
  "step-released": { state: "open", end: "released" },
  "step-crashed": { state: "open", end: "crashed" },
  "step-expanded": { state: "waiting", end: "waits" },
  "step-deferred": { state: "waiting", end: "waits" },
  "step-asked": { state: "waiting", end: "waits" },
  "step-woken": { state: "open", end: "waits" },
  "step-skipped": { state: "skipped", end: "completed" },
  "step-reopened": { state: "open", end: "failed" },
};

export function createTracker(): Tracker {
  const steps = new Map<string, TrackedStep>();
  return {
    steps,
    apply(trace) {
      const at = Date.parse(trace.createdAt);
      if (trace.type === "steps-added") {
        for (const added of trace.data["steps"] as readonly AddedStep[]) addStep(steps, added);
      } else if (trace.type === "task-cancelled") {
        for (const step of steps.values()) endAttempt(step, at, "cancelled");
      }
      const step = trace.stepId === undefined ? undefined : steps.get(trace.stepId);
      if (step === undefined) return undefined;
      if (trace.type === "step-started") startAttempt(step, trace, at);
      if (trace.type === "step-resolved") step.state = trace.data["state"] as TrackedStep["state"];
      const move = moves[trace.type];
      if (move !== undefined) {
        step.state = move.state;
        endAttempt(step, at, move.end);
      }
      return step;
    },
  };
}

function addStep(steps: Map<string, TrackedStep>, added: AddedStep): void {
  const { stepId: id, key, kind, type, description, dependsOn, parentStepId: parentId } = added;
  const step: TrackedStep = {
    id,
    key,
    kind,
    type,
    description,
    dependsOn,
    parentId,
    attempts: [],
    items: [],
    state: "open",
  };
  steps.set(id, step);
  if (parentId !== undefined) steps.get(parentId)?.items.push(step);
}

function startAttempt(step: TrackedStep, trace: Trace, at: number): void {
  // A crash that nobody has reaped yet leaves the former attempt open.
  endAttempt(step, at, "crashed");
  const worker = String(trace.data["worker"] ?? "");
  step.attempts.push({ attemptNo: trace.attemptNo ?? 0, worker, startedAt: at, endedAt: undefined, end: undefined });
  step.state = "running";
}

function endAttempt(step: TrackedStep, at: number, end: AttemptEnd): void {
  const attempt = step.attempts.at(-1);
  if (attempt === undefined || attempt.endedAt !== undefined) return;
  attempt.endedAt = at;
  attempt.end = end;
}

/** Steps of the plan itself: neither Baton's own nor the items of a map. */
export function planSteps(tracker: Tracker): readonly TrackedStep[] {
  return [...tracker.steps.values()].filter(({ kind, parentId }) => kind === "user" && parentId === undefined);
}

/** The attempts of a step and of its items. */
export function allAttempts(step: TrackedStep): readonly TrackedAttempt[] {
  return [...step.attempts, ...step.items.flatMap(allAttempts)];
}
