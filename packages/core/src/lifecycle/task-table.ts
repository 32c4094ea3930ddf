/**
 * The task's lifecycle: state × event → the states f may then give. A task's state is f(intent,
 * counters); this table bounds it, and the SQL refuses a move that is not in it.
 */
import type { TaskState } from "./states.ts";

export const taskEvents = [
  "claim",
  "settle",
  "pause",
  "resume",
  "cancel",
  "compensate",
  "retry",
  "resolve",
  "reap",
] as const;
export type TaskEvent = (typeof taskEvents)[number];

export interface TaskTransitions {
  readonly from: TaskState;
  readonly event: TaskEvent;
  readonly to: readonly TaskState[];
  readonly guard: string;
}

/** The states between which f moves a task while nobody wants anything of it. */
export const workingStates = [
  "pending",
  "planning",
  "running",
  "evaluating",
  "waiting",
  "retrying",
  "blocked",
] as const;
const moving = [...workingStates, "failed", "completed"] as const;

const fromEach = (
  from: readonly TaskState[],
  event: TaskEvent,
  to: readonly TaskState[],
  guard: string,
): TaskTransitions[] => from.map((state) => ({ from: state, event, to, guard }));

export const taskTable: readonly TaskTransitions[] = [
  ...fromEach(
    ["pending", "running", "waiting", "retrying", "blocked", "evaluating", "planning"],
    "claim",
    workingStates,
    "a ready step was claimed or dispatched",
  ),
  ...fromEach(workingStates, "settle", moving, "an attempt of one of its steps was settled"),
  ...fromEach(
    ["failed"],
    "settle",
    ["failed", "completed"],
    "a sibling that was still running settles after the failure",
  ),
  ...fromEach(["paused"], "settle", ["paused", "failed", "completed"], "an attempt settles before it is released"),
  ...fromEach(workingStates, "reap", moving, "the session of a running step died"),
  ...fromEach(["failed", "paused"], "reap", ["failed", "paused"], "the session of a running step died"),
  ...fromEach(workingStates, "pause", ["paused"], "intent pause; running attempts are released"),
  ...fromEach(["paused"], "resume", workingStates, "intent none"),
  ...fromEach(
    [...workingStates, "paused", "failed", "compensating"],
    "cancel",
    ["cancelled"],
    "intent cancel; every open step is cancelled in the same transaction",
  ),
  ...fromEach([...workingStates, "paused", "failed"], "compensate", ["compensating"], "intent compensate"),
  ...fromEach(["compensating"], "settle", ["compensating", "failed", "completed"], "a compensation step settled"),
  ...fromEach(["failed"], "retry", [...workingStates, "paused", "failed"], "a person retries the failed steps"),
  ...fromEach(["blocked", "running", "waiting", "retrying"], "retry", workingStates, "a person retries a held step"),
  ...fromEach(["failed"], "resolve", [...moving, "paused"], "a person resolves a dead letter"),
  ...fromEach(["blocked", "running", "waiting", "retrying"], "resolve", moving, "a person resolves a held step"),
  ...fromEach(["paused"], "retry", ["paused"], "a person retries a held step of a paused task"),
  ...fromEach(["paused"], "resolve", ["paused", "completed"], "a person resolves a held step of a paused task"),
];

/** Every move the table allows, whatever the event: the pairs SQL checks. */
export function legalTaskMoves(): readonly (readonly [TaskState, TaskState])[] {
  const pairs = new Map<string, readonly [TaskState, TaskState]>();
  for (const row of taskTable) {
    for (const to of row.to) if (to !== row.from) pairs.set(`${row.from}>${to}`, [row.from, to]);
  }
  return [...pairs.values()].sort((a, b) => `${a[0]}>${a[1]}`.localeCompare(`${b[0]}>${b[1]}`));
}
