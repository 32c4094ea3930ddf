/** Each invariant, fed with a history in which exactly one thing went wrong, names it, and is silent about a sound one. */
import { describe, expect, it } from "vitest";
import type { Evidence, TaskEvidence } from "./harness/evidence.ts";
import { createFaultLog } from "./harness/fault-log.ts";
import { invariants, type Judged } from "./harness/invariants.ts";

const sessionId = "session";
const taskId = "task";
const stepId = "step";
const key = `${stepId}-1`;

type Traces = TaskEvidence["traces"];
type Line = readonly [type: string, attemptNo: number | undefined, data: Readonly<Record<string, unknown>>];

const added = {
  stepId,
  key: "a",
  kind: "user",
  type: "tool",
  description: "",
  join: "all",
  dependsOn: [],
  onExhausted: "fail",
};
const begun: readonly Line[] = [
  ["task-created", undefined, { kind: "plan", goal: "" }],
  ["steps-added", undefined, { steps: [added], reason: "created" }],
];
const started = (attemptNo: number): Line => ["step-started", attemptNo, { sessionId, worker: "w", continued: false }];
const crashed = (attemptNo: number): Line => ["step-crashed", attemptNo, { sessionId, crashCount: attemptNo }];
const completed = (attemptNo: number): Line => [
  "step-completed",
  attemptNo,
  { deadEdges: [], sizeBytes: 2, preview: "" },
];
const moved = (from: string, to: string): Line => ["task-state-changed", undefined, { from, to }];

/** One step that died once and completed on its second attempt. */
const sound: readonly Line[] = [
  ...begun,
  started(1),
  moved("pending", "running"),
  crashed(1),
  started(2),
  completed(2),
  moved("running", "completed"),
];

const tracesOf = (lines: readonly Line[]): Traces =>
  lines.map(([type, attemptNo, data], at) => ({
    no: at + 1,
    type,
    stepId: type.startsWith("step-") ? stepId : undefined,
    attemptNo,
    data,
    createdAt: at,
  }));

const effect = (attemptNo: number, idempotencyKey = key) => ({
  at: 0,
  pid: 1,
  taskId,
  stepId,
  attemptNo,
  idempotencyKey,
});

interface Planted {
  readonly lines?: readonly Line[];
  readonly traces?: Traces;
  readonly state?: string;
  readonly stepState?: string;
  readonly attemptNo?: number;
  readonly effects?: Evidence["effects"];
  readonly deadlocks?: number;
  readonly faults?: number;
  readonly mayRepeat?: number;
}

function history(planted: Planted = {}): Judged {
  const traces = planted.traces ?? tracesOf(planted.lines ?? sound);
  const state = planted.state ?? "completed";
  const step = {
    stepId,
    key: "a",
    kind: "user",
    state: planted.stepState ?? "completed",
    attemptNo: planted.attemptNo ?? 2,
    failureCount: 0,
    crashCount: 1,
  };
  const counts = { totalSteps: 1, settledSteps: 1, runningSteps: 0, failedSteps: 0 };
  const task = { state, intent: "none", traceNo: traces.length, ...counts };
  const evidence = {
    tasks: [{ taskId, expected: { state: "completed", stepCount: 1 }, task, steps: [step], traces }],
    effects: planted.effects ?? [effect(1), effect(2)],
    effectSteps: new Map([[stepId, { taskId, state: "completed", calls: 1 }]]),
    unknownTaskIds: [],
    deadlocks: planted.deadlocks ?? 0,
    longestGapMs: 0,
  } as unknown as Evidence;
  const faults = createFaultLog();
  for (let count = 0; count < (planted.faults ?? 1); count++) faults.record("kill", "w", planted.mayRepeat ?? 1);
  return { evidence, faults, recovered: 1, least: { faults: 1, recovered: 1 } };
}

const findings = (judged: Judged): readonly string[] =>
  Object.values(invariants).flatMap((holds) => [...holds(judged)]);

const broken = (judged: Judged): readonly string[] =>
  Object.entries(invariants).flatMap(([name, holds]) => (holds(judged).length > 0 ? [name] : []));

describe("the invariants", () => {
  it("hold for a step that died once and completed on its second attempt", () => {
    expect(findings(history())).toEqual([]);
  });

  const breaks: readonly (readonly [what: string, expected: string, planted: Planted])[] = [
    ["a task that is not in its expected state", "I1 none lost", { state: "failed" }],
    ["a step that is left open by a finished task", "I1 nothing left open", { stepState: "running" }],
    ["a step that completed twice", "I2 one outcome a step", { lines: [...sound, started(3), completed(3)] }],
    [
      "an outcome of an attempt that was superseded",
      "I3 only current attempts commit",
      { lines: [...begun, started(1), crashed(1), started(2), completed(1)] },
    ],
    [
      "an attempt that began while another was open",
      "I3 only current attempts commit",
      { lines: [...begun, started(1), started(2), completed(2)] },
    ],
    ["an effect that never happened", "I4 effects as expected", { effects: [] }],
    ["a second key for one effect", "I4 effects as expected", { effects: [effect(1), effect(2, "other")] }],
    ["a repetition that no fault explains", "I5 repetitions explained", { mayRepeat: 0 }],
    ["an attempt whose effect happened twice", "I5 repetitions explained", { effects: [effect(2), effect(2)] }],
    ["a trace that is missing", "I6 traces without gaps", { traces: tracesOf(sound).filter(({ no }) => no !== 4) }],
    ["a run without a fault", "I8 faults happened", { faults: 0, mayRepeat: 0 }],
    ["a row that the log does not explain", "I11 rows equal traces", { attemptNo: 3 }],
    ["a deadlock", "I12 no deadlocks", { deadlocks: 1 }],
  ];
  it.each(breaks)("name %s: %s", (_what, expected, planted) => {
    expect(broken(history(planted))).toContain(expected);
  });
});
