/**
 * What must be true of every run, whatever was done to it.
 *
 * Purpose: judge a run from rows, traces and the sink alone. Boundary: reads nothing and starts nothing; I7 (every
 * worker works again) and the stream half of I6 need living processes and stand in liveness.ts, I9 in watchdog.ts.
 *
 * 1. Every invariant is a function from evidence to findings; no findings means that it holds.
 * 2. A finding names the task, and what was expected of it.
 */
import { taskStates } from "@baton/core/lifecycle";
import { compareWithRows, reduce, type TraceRow } from "@baton/core/events";
import type { Evidence, TaskEvidence } from "./evidence.ts";
import type { FaultLog } from "./fault-log.ts";

export interface Judged {
  readonly evidence: Evidence;
  readonly faults: FaultLog;
  readonly recovered: number;
  readonly least: { readonly faults: number; readonly recovered: number };
}

export type Findings = readonly string[];

/** I1: every accepted task is there, whole, and in the state expected of it. */
export function noneLost({ evidence }: Judged): Findings {
  return evidence.tasks.flatMap(({ taskId, expected, task, steps }) => {
    if (task === undefined) return [`task ${taskId} was accepted and does not exist`];
    const findings: string[] = [];
    if (task.state !== expected.state) {
      const why = task.lastError === undefined ? "" : ` (${task.lastError.code}: ${task.lastError.message})`;
      findings.push(`task ${taskId} is ${task.state}, expected ${expected.state}${why}`);
    }
    const planned = steps.filter(({ kind, parentStepId }) => kind === "user" && parentStepId === undefined).length;
    if (planned !== expected.stepCount) {
      findings.push(`task ${taskId} has ${planned} steps, its plan has ${expected.stepCount}`);
    }
    return findings;
  });
}

/** I2: a step has at most one committed outcome (one more for each time that a person reopened it). */
export function oneOutcomeAStep({ evidence }: Judged): Findings {
  return evidence.tasks.flatMap(({ taskId, traces }) =>
    [...bySteps(traces)].flatMap(([stepId, own]) => {
      const count = (type: string): number => own.filter((trace) => trace.type === type).length;
      // What a map expanded into, and what a step deferred to, lets the same step start and complete again.
      const outcomes = count("step-completed");
      return outcomes > 1 + count("step-reopened") ? [`step ${stepId} of ${taskId} completed ${outcomes} times`] : [];
    }),
  );
}

const endings: ReadonlySet<string> = new Set([
  "step-completed",
  "step-retry-scheduled",
  "step-failed",
  "step-released",
  "step-crashed",
  "step-expanded",
  "step-deferred",
]);

/** I3: attempts of a step never overlap, their numbers rise by one, and only the current one ends. */
export function onlyCurrentAttemptsCommit({ evidence }: Judged): Findings {
  return evidence.tasks.flatMap(({ taskId, traces }) => {
    const open = new Map<string, number>();
    const last = new Map<string, number>();
    const findings: string[] = [];
    for (const { no, type, stepId, attemptNo = 0 } of traces) {
      if (type === "task-cancelled") open.clear();
      if (stepId === undefined) continue;
      const current = open.get(stepId);
      if (type === "step-started") {
        const expected = (last.get(stepId) ?? 0) + 1;
        if (current !== undefined)
          findings.push(
            `${taskId} trace ${no}: attempt ${attemptNo} of step ${stepId} began while ${current} was open`,
          );
        if (attemptNo !== expected)
          findings.push(`${taskId} trace ${no}: attempt ${attemptNo} of step ${stepId} follows ${expected - 1}`);
        open.set(stepId, attemptNo);
        last.set(stepId, attemptNo);
      } else if (endings.has(type)) {
        if (current !== attemptNo) {
          findings.push(
            `${taskId} trace ${no}: ${type} of attempt ${attemptNo} of step ${stepId}, current is ${current ?? "none"}`,
          );
        }
        open.delete(stepId);
      }
    }
    return findings;
  });
}

/** I4: the sink holds exactly one key for every effect that was expected. */
export function effectsAsExpected({ evidence }: Judged): Findings {
  const { effects, effectSteps, tasks } = evidence;
  const known = new Set(tasks.map(({ taskId }) => taskId));
  const keysOf = Map.groupBy(effects, ({ stepId }) => stepId);
  const missing = [...effectSteps].flatMap(([stepId, { taskId, state, calls }]) => {
    const happened = new Set(keysOf.get(stepId)?.map(({ idempotencyKey }) => idempotencyKey)).size;
    return state === "completed" && known.has(taskId) && happened < calls
      ? [`step ${stepId} of ${taskId} is completed and ${calls - happened} of its effects never happened`]
      : [];
  });
  const strange = [...keysOf].flatMap(([stepId, own]) => {
    const step = effectSteps.get(stepId);
    if (step === undefined) return [`an effect of step ${stepId} happened, and no such step exists`];
    const keys = new Set(own.map(({ idempotencyKey }) => idempotencyKey));
    return keys.size > step.calls ? [`step ${stepId} used ${keys.size} idempotency keys: ${[...keys].join(", ")}`] : [];
  });
  return [...missing, ...strange];
}

/** I5: what ran more than once is bounded by the faults, and each further run follows an attempt that did not complete. */
export function repetitionsExplained(judged: Judged): Findings {
  const { evidence, faults } = judged;
  const findings: string[] = [];
  const extra = extraExecutions(evidence);
  if (extra > faults.mayRepeat)
    findings.push(`${extra} executions beyond one an effect; the faults explain ${faults.mayRepeat}`);
  const traces = new Map(evidence.tasks.map((task) => [task.taskId, bySteps(task.traces)]));
  for (const own of Map.groupBy(evidence.effects, (effect) => effect.idempotencyKey).values()) {
    if (own.length === 1) continue;
    const { taskId, stepId } = own[0] as (typeof own)[number];
    const of = traces.get(taskId)?.get(stepId) ?? [];
    for (const { attemptNo } of own.slice(0, -1)) {
      const ended = of.find((trace) => trace.attemptNo === attemptNo && endings.has(trace.type));
      if (ended === undefined || ended.type === "step-completed") {
        findings.push(
          `step ${stepId} of ${taskId} ran again although attempt ${attemptNo} ${ended === undefined ? "never ended" : "completed"}`,
        );
      }
    }
    for (const [attemptNo, runs] of Map.groupBy(own, (effect) => effect.attemptNo)) {
      if (runs.length > 1) findings.push(`attempt ${attemptNo} of step ${stepId} had its effect ${runs.length} times`);
    }
  }
  return findings;
}

/** Executions in the sink beyond one a key. */
export function extraExecutions({ effects }: Evidence): number {
  return effects.length - new Set(effects.map(({ idempotencyKey }) => idempotencyKey)).size;
}

/** I6, the rows' half: traces are numbered 1..N, and the task says N. */
export function tracesWithoutGaps({ evidence }: Judged): Findings {
  return evidence.tasks.flatMap(({ taskId, task, traces }) => {
    const gap = traces.findIndex(({ no }, index) => no !== index + 1);
    if (gap >= 0) return [`task ${taskId}: trace ${gap + 1} is missing`];
    const counted = task?.traceNo ?? 0;
    return counted === traces.length ? [] : [`task ${taskId} counts ${counted} traces and has ${traces.length}`];
  });
}

/** I8: the faults really happened, and the system had something to recover from. */
export function faultsHappened({ faults, recovered, least }: Judged): Findings {
  const findings: string[] = [];
  if (faults.count() < least.faults)
    findings.push(`${faults.count()} faults were injected, at least ${least.faults} belong to the case`);
  if (recovered < least.recovered)
    findings.push(`${recovered} steps were recovered, at least ${least.recovered} belong to the case`);
  return findings;
}

/** I11: the rows are what the event log says. */
export function rowsEqualTraces({ evidence }: Judged): Findings {
  return evidence.tasks.flatMap(({ taskId, task, steps, traces, counters }) => {
    if (task === undefined) return [];
    try {
      const rows = { task, steps, ...(counters !== undefined && { counters }) };
      return compareWithRows(reduce(traces), rows).map((difference) => `task ${taskId}: ${difference}`);
    } catch (error) {
      return [`task ${taskId}: its traces tell no possible story: ${String(error)}`];
    }
  });
}

/** I12. */
export function noDeadlocks({ evidence }: Judged): Findings {
  return evidence.deadlocks === 0 ? [] : [`PostgreSQL counted ${evidence.deadlocks} deadlocks`];
}

/** A task that is over holds nothing: no step of it runs, and none is ready. */
export function nothingLeftOpen({ evidence }: Judged): Findings {
  return evidence.tasks.flatMap(({ taskId, task, steps }) => {
    if (task === undefined || taskStates[task.state] !== "terminal") return [];
    return steps
      .filter(({ state }) => state === "running" || state === "ready" || state === "waiting")
      .map(({ key, state }) => `task ${taskId} is ${task.state} and its step ${key} is ${state}`);
  });
}

export const invariants: Readonly<Record<string, (judged: Judged) => Findings>> = {
  "I1 none lost": noneLost,
  "I1 nothing left open": nothingLeftOpen,
  "I2 one outcome a step": oneOutcomeAStep,
  "I3 only current attempts commit": onlyCurrentAttemptsCommit,
  "I4 effects as expected": effectsAsExpected,
  "I5 repetitions explained": repetitionsExplained,
  "I6 traces without gaps": tracesWithoutGaps,
  "I8 faults happened": faultsHappened,
  "I11 rows equal traces": rowsEqualTraces,
  "I12 no deadlocks": noDeadlocks,
};

/** Steps that completed although an attempt, a session or a wake-up of theirs was lost. */
export function recoveredSteps(tasks: readonly TaskEvidence[]): number {
  const losses: ReadonlySet<string> = new Set([
    "step-crashed",
    "step-released",
    "step-redispatched",
    "step-retry-scheduled",
  ]);
  return tasks.reduce((sum, { steps, traces }) => {
    const lost = new Set(traces.filter(({ type }) => losses.has(type)).map(({ stepId }) => stepId));
    return sum + steps.filter(({ stepId, state }) => state === "completed" && lost.has(stepId)).length;
  }, 0);
}

function bySteps(traces: readonly TraceRow[]): ReadonlyMap<string, readonly TraceRow[]> {
  return Map.groupBy(
    traces.filter((trace): trace is TraceRow & { readonly stepId: string } => trace.stepId !== undefined),
    ({ stepId }) => stepId,
  );
}
