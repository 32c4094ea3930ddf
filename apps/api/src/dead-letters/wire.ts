/** From the store's rows about dead letters to what clients see. */
import type { DeadLetter, DeadLetterDetails, DeadLetterGroup } from "@baton/contracts";
import type { TraceRow } from "@baton/core/events";
import { resolutionsOf } from "@baton/core/lifecycle";
import type { StepKind } from "@baton/core/lifecycle";
import type { StepError } from "@baton/core/ports";
import type { ShownConfig } from "@baton/executor";
import type { DeadLetterGroupRow, DeadLetterRow, FailedStep } from "@baton/store";
import { effectToWire } from "../effects/wire.ts";
import { iso, present } from "../tasks/wire.ts";

const errorToWire = ({ code, message, causes }: StepError) => ({ code, message, causes: [...causes] });

const actionOf = { completed: "complete", skipped: "skip" } as const;

/** While a call is in doubt a retry only asks the tool after it, so the word about the call stands first. */
export function actionsOf(kind: StepKind, inDoubt = false): DeadLetter["actions"] {
  return [
    ...(inDoubt ? (["resolve-call"] as const) : []),
    "retry",
    ...resolutionsOf(kind).map((state) => actionOf[state]),
  ];
}

function letterToWire(row: DeadLetterRow): DeadLetter {
  const { key, kind, type, tool } = row;
  return {
    id: row.stepId,
    task: { id: row.taskId, goal: row.goal, state: row.taskState },
    step: { key, kind, type, ...present({ tool }) },
    error: errorToWire(row.error),
    failedAt: iso(row.failedAt),
    attemptNo: row.attemptNo,
    failureCount: row.failureCount,
    crashCount: row.crashCount,
    onExhausted: row.onExhausted,
    actions: actionsOf(row.kind, row.inDoubt),
  };
}

export function groupToWire(row: DeadLetterGroupRow, nextCursor: string | null): DeadLetterGroup {
  return {
    id: row.groupId,
    code: row.code,
    message: row.pattern,
    type: row.type,
    count: row.count,
    taskCount: row.taskCount,
    firstFailedAt: iso(row.firstFailedAt),
    lastFailedAt: iso(row.lastFailedAt),
    letters: row.letters.map(letterToWire),
    nextCursor,
    ...present({ tool: row.tool }),
  };
}

export function detailsToWire({ letter, step, history, effects }: FailedStep, shown: ShownConfig): DeadLetterDetails {
  return {
    ...letterToWire(letter),
    attempts: attemptsOf(history),
    config: { ...shown.config },
    unevaluated: [...shown.unevaluated],
    effects: effects.map(effectToWire),
    ...present({ item: step.item === undefined ? undefined : { ...step.item } }),
  };
}

type Attempt = DeadLetterDetails["attempts"][number];

const ends: Readonly<Record<string, Attempt["end"]>> = {
  "step-retry-scheduled": "failed",
  "step-failed": "failed",
  "step-crashed": "crashed",
  "step-released": "released",
};
const crash = { code: "worker-crash", message: "The worker died while performing the step.", causes: [] };

/** One entry an attempt, oldest first. */
function attemptsOf(history: readonly TraceRow[]): Attempt[] {
  const attempts = new Map<number, Attempt>();
  for (const { type, attemptNo, data, createdAt } of history) {
    if (attemptNo === undefined) continue;
    const attempt = attempts.get(attemptNo) ?? { attemptNo };
    attempts.set(attemptNo, attempt);
    if (type === "step-started") Object.assign(attempt, { worker: String(data["worker"]), startedAt: iso(createdAt) });
    const end = ends[type];
    if (end === undefined) continue;
    const error = data["error"] as (Omit<StepError, "causes"> & Partial<StepError>) | undefined;
    const known =
      error === undefined ? (end === "crashed" ? crash : undefined) : { ...error, causes: error.causes ?? [] };
    Object.assign(attempt, { end, endedAt: iso(createdAt), ...present({ error: known && errorToWire(known) }) });
  }
  return [...attempts.values()];
}
