/**
 * f(intent, counters): a task's state is derived, never set.
 *
 * 1. Pure; equal to `baton_v1.task_state` in SQL (tested over generated counters).
 * 2. Every counter counts steps in one bucket; a step is in exactly one bucket at a time.
 */
import type { StepKind, StepState, TaskIntent, TaskState } from "./states.ts";

/** The counters on a task row; each is `<name>_count` in SQL. All are ≥ 0. */
export const buckets = [
  "pending",
  "ready",
  "dispatched",
  "backoff",
  "running",
  "waiting",
  "failed",
  "held",
  "planning",
  "evaluating",
  "completed",
  "skipped",
  "cancelled",
  "system_settled",
] as const;
export type Bucket = (typeof buckets)[number];
export type TaskCounters = Readonly<Record<Bucket, number>> & {
  /** Claims ever made, without those of plan and evaluation steps. */
  readonly claimed: number;
};

export interface BucketedStep {
  readonly kind: StepKind;
  readonly state: StepState;
  readonly dispatched: boolean;
  readonly backingOff: boolean;
  readonly onExhausted: "fail" | "hold";
}

/** Which counter a step is in. Equal to `baton_v1.bucket` in SQL. */
export function bucketOf(step: BucketedStep): Bucket {
  switch (step.state) {
    case "failed":
      return step.onExhausted === "hold" ? "held" : "failed";
    case "completed":
    case "skipped":
    case "cancelled":
      return step.kind === "user" || step.kind === "reply" ? step.state : "system_settled";
    default:
      break;
  }
  if (step.kind === "plan") return "planning";
  if (step.kind === "evaluate") return "evaluating";
  if (step.state !== "ready") return step.state;
  if (step.dispatched) return "dispatched";
  return step.backingOff ? "backoff" : "ready";
}

export function openCount(c: TaskCounters): number {
  return c.pending + c.ready + c.dispatched + c.backoff + c.running + c.waiting + c.planning + c.evaluating;
}

/** Precedence: finished, intent, failed, planning, running, blocked, waiting, retrying, evaluating. */
export function taskState(intent: TaskIntent, c: TaskCounters): TaskState {
  if (openCount(c) + c.failed + c.held === 0) return intent === "cancel" ? "cancelled" : "completed";
  if (intent === "compensate") return "compensating";
  if (c.failed > 0) return "failed";
  if (intent === "pause") return "paused";
  if (c.planning > 0) return "planning";
  if (c.running + c.ready + c.dispatched > 0) return c.claimed > 0 ? "running" : "pending";
  if (c.held > 0) return "blocked";
  if (c.waiting > 0) return "waiting";
  if (c.backoff > 0) return "retrying";
  if (c.evaluating > 0) return "evaluating";
  return "blocked";
}
