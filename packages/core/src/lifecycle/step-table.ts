/**
 * The step's lifecycle: one literal table, read by the types, the guard in code, the SQL's state
 * lists and the generated page in docs/lifecycle.
 */
import type { StepState } from "./states.ts";

export interface StepTransition {
  readonly from: StepState;
  readonly event: StepEvent;
  readonly to: StepState;
  readonly guard: string;
}

export const stepEvents = [
  "satisfy",
  "skip",
  "claim",
  "complete",
  "retry-later",
  "exhaust",
  "release",
  "crash",
  "wait",
  "defer",
  "wake",
  "reopen",
  "resolve",
  "cancel",
] as const;
export type StepEvent = (typeof stepEvents)[number];

export const stepTable: readonly StepTransition[] = [
  { from: "pending", event: "satisfy", to: "ready", guard: "the join rule holds, or a map has room for the item" },
  { from: "pending", event: "skip", to: "skipped", guard: "the join rule can no longer hold" },
  {
    from: "ready",
    event: "claim",
    to: "running",
    guard: "available_at passed, the task is live and has no intent, the session's lease holds",
  },
  { from: "running", event: "complete", to: "completed", guard: "the attempt is the current one" },
  {
    from: "running",
    event: "retry-later",
    to: "ready",
    guard: "the attempt is the current one and attempts are left; failure_count + 1",
  },
  { from: "running", event: "exhaust", to: "failed", guard: "the attempt is the current one and no attempt is left" },
  { from: "running", event: "release", to: "ready", guard: "the attempt is the current one; nothing is counted" },
  {
    from: "running",
    event: "crash",
    to: "ready",
    guard: "the process is gone, and crash_count + 1 < 3 (10 where others ran in it)",
  },
  {
    from: "running",
    event: "crash",
    to: "failed",
    guard: "the process is gone, and crash_count + 1 >= 3 (10 where others ran in it)",
  },
  { from: "running", event: "wait", to: "waiting", guard: "the attempt is the current one" },
  {
    from: "running",
    event: "defer",
    to: "pending",
    guard: "the attempt is the current one and adds a step this one depends on",
  },
  {
    from: "waiting",
    event: "wake",
    to: "ready",
    guard: "what it waited for came (items, approval, event, timer, child)",
  },
  { from: "failed", event: "reopen", to: "ready", guard: "a person retries" },
  { from: "failed", event: "resolve", to: "completed", guard: "a person gives the output" },
  { from: "failed", event: "resolve", to: "skipped", guard: "a person resolves it without an output" },
  { from: "pending", event: "cancel", to: "cancelled", guard: "the task's intent is cancel" },
  { from: "ready", event: "cancel", to: "cancelled", guard: "the task's intent is cancel" },
  {
    from: "running",
    event: "cancel",
    to: "cancelled",
    guard: "the task's intent is cancel; the worker is told to abort",
  },
  { from: "waiting", event: "cancel", to: "cancelled", guard: "the task's intent is cancel" },
  { from: "failed", event: "cancel", to: "cancelled", guard: "the task's intent is cancel" },
];

/** The states a step in `from` may reach by `event`; empty = illegal. */
export function stepTargets(from: StepState, event: StepEvent): readonly StepState[] {
  return stepTable.filter((row) => row.from === from && row.event === event).map((row) => row.to);
}
