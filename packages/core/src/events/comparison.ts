/** What the rows of a task say otherwise than its event log. */
import type { StepKind, StepState, TaskIntent, TaskState } from "../lifecycle/states.ts";
import { taskState } from "../lifecycle/task-state.ts";
import { type ReducedCounters, type ReducedTask, reducedCounters } from "./reduce.ts";

/** The rows as the store and the API show them. */
export interface TaskRows {
  readonly task: {
    readonly state: TaskState;
    readonly intent: TaskIntent;
    readonly traceNo: number;
    readonly totalSteps: number;
    readonly settledSteps: number;
    readonly runningSteps: number;
    readonly failedSteps: number;
  };
  /** The task row's own counters, where they can be read. */
  readonly counters?: ReducedCounters;
  readonly steps: readonly {
    readonly stepId: string;
    readonly key: string;
    readonly kind: StepKind;
    readonly state: StepState;
    readonly attemptNo: number;
    readonly failureCount: number;
    readonly crashCount: number;
    readonly parentStepId?: string | undefined;
  }[];
}

/** One line a difference; empty = the log and the rows tell the same story. */
export function compareWithRows(reduced: ReducedTask, rows: TaskRows): string[] {
  return [
    ...compareTask(reduced, rows),
    ...compareFields("counter", reduced.task.counters, rows.counters ?? {}),
    ...compareSteps(reduced, rows),
    ...compareDerivation(reduced),
  ];
}

function compareTask({ task, steps }: ReducedTask, rows: TaskRows): string[] {
  const { counters, ...fields } = task;
  const userSteps = [...steps.values()].filter(({ kind }) => kind === "user" || kind === "reply").length;
  const derived = {
    ...fields,
    totalSteps: userSteps,
    settledSteps: counters.completed + counters.skipped + counters.cancelled,
    runningSteps: counters.running,
    failedSteps: counters.failed + counters.held,
  };
  return Object.entries(derived).flatMap(([name, expected]) =>
    difference(`task ${name}`, expected, rows.task[name as keyof TaskRows["task"]]),
  );
}

function compareSteps({ steps }: ReducedTask, rows: TaskRows): string[] {
  const seen = new Set(rows.steps.map(({ stepId }) => stepId));
  const unwritten = [...steps].filter(([stepId]) => !seen.has(stepId));
  return [
    ...unwritten.map(([, { key }]) => `step ${key}: the log added it, no row shows it`),
    ...rows.steps.flatMap((row) => {
      const reduced = steps.get(row.stepId);
      if (reduced === undefined) return [`step ${row.key}: a row shows it, the log never added it`];
      return Object.entries(reduced).flatMap(([name, expected]) =>
        difference(`step ${row.key} ${name}`, expected, row[name as keyof typeof row]),
      );
    }),
  ];
}

function compareFields(what: string, expected: ReducedCounters, found: Partial<ReducedCounters>): string[] {
  return reducedCounters.flatMap((name) =>
    found[name] === undefined ? [] : difference(`${what} ${name}`, expected[name], found[name]),
  );
}

/** The state is one that f gives for some split of the ready steps. */
function compareDerivation({ task: { state, intent, counters } }: ReducedTask): string[] {
  const none = { ready: 0, dispatched: 0, backoff: 0 };
  const splits = [{ ready: counters.ready }, { backoff: counters.ready }];
  const possible = splits.map((split) => taskState(intent, { ...counters, ...none, ...split }));
  return possible.includes(state) ? [] : [`task state: f gives ${possible.join(" or ")}, the log says ${state}`];
}

function difference(what: string, expected: unknown, found: unknown): string[] {
  // SQL's null and an absent field say the same.
  return (expected ?? undefined) === (found ?? undefined)
    ? []
    : [`${what}: the log says ${String(expected)}, the row says ${String(found)}`];
}
