/**
 * reduce(traces): a task's rows, rebuilt from its event log alone.
 *
 * Purpose: rows and log are written by the same verbs; when both tell the same story, neither lost
 * anything. Boundary: pure; reads no row and no clock.
 *
 * 1. Trace numbers run 1, 2, 3 … without a gap; a gap throws.
 * 2. Every move is one that the lifecycle tables allow; any other throws `illegal-transition`.
 * 3. Types that move nothing, and types of a newer version, are passed over.
 */
import { BatonError } from "../errors/errors.ts";
import { stepStates, type StepKind, type StepState, type TaskIntent, type TaskState } from "../lifecycle/states.ts";
import { bucketOf, type Bucket, buckets } from "../lifecycle/task-state.ts";
import { legalTaskMoves } from "../lifecycle/task-table.ts";
import { type BatonEvent, catalogue, type TraceRow } from "./catalogue.ts";
import { type GraphStep, StepGraph } from "./step-graph.ts";

/** Which ready steps are dispatched or backing off is no event: the three counters are one here. */
export type ReducedCounter = Exclude<Bucket, "dispatched" | "backoff"> | "claimed";
export type ReducedCounters = Readonly<Record<ReducedCounter, number>>;

export interface ReducedStep {
  readonly key: string;
  readonly kind: StepKind;
  readonly state: StepState;
  readonly attemptNo: number;
  readonly failureCount: number;
  readonly crashCount: number;
  readonly parentStepId: string | undefined;
}

export interface ReducedTask {
  readonly task: {
    readonly state: TaskState;
    readonly intent: TaskIntent;
    readonly traceNo: number;
    readonly counters: ReducedCounters;
  };
  readonly steps: ReadonlyMap<string, ReducedStep>;
}

export const reducedCounters: readonly ReducedCounter[] = [
  ...buckets.filter((bucket) => bucket !== "dispatched" && bucket !== "backoff"),
  "claimed",
];

interface Replay {
  readonly graph: StepGraph;
  state: TaskState;
  intent: TaskIntent;
  claimedCount: number;
}

const legalMoves: ReadonlySet<string> = new Set(legalTaskMoves().map(([from, to]) => `${from}>${to}`));
const known: ReadonlySet<string> = new Set(catalogue.options.map((option) => option.shape.type.value));

/** All trace rows of one task, ascending. */
export function reduce(traces: readonly TraceRow[]): ReducedTask {
  const replay: Replay = { graph: new StepGraph(), state: "pending", intent: "none", claimedCount: 0 };
  traces.forEach((trace, index) => {
    if (trace.no !== index + 1) {
      throw new BatonError("internal", `Trace ${index + 1} is missing: number ${trace.no} stands in its place.`);
    }
    if (!known.has(trace.type)) return;
    applyEvent(replay, trace, catalogue.parse({ type: trace.type, data: trace.data }));
  });
  const steps = new Map(
    [...replay.graph.steps.values()].map(
      ({ stepId, key, kind, state, attemptNo, failureCount, crashCount, parentStepId }) => [
        stepId,
        { key, kind, state, attemptNo, failureCount, crashCount, parentStepId },
      ],
    ),
  );
  const { state, intent } = replay;
  return { task: { state, intent, traceNo: traces.length, counters: countersOf(replay) }, steps };
}

function applyEvent(replay: Replay, trace: TraceRow, event: BatonEvent): void {
  switch (event.type) {
    case "steps-added":
      for (const step of event.data.steps) replay.graph.add(step);
      return;
    case "task-paused":
      replay.intent = "pause";
      return;
    case "task-resumed":
      replay.intent = "none";
      return;
    case "task-cancelled":
      replay.intent = "cancel";
      for (const step of replay.graph.steps.values()) {
        if (stepStates[step.state] !== "terminal") replay.graph.move(step, "cancel", "cancelled");
      }
      return;
    case "task-state-changed":
      moveTask(replay, event.data.from, event.data.to);
      return;
    default:
      if (isStepMove(event)) moveStep(replay, replay.graph.find(trace.stepId), trace.attemptNo ?? 0, event);
  }
}

type StepMove = Exclude<Extract<BatonEvent, { type: `step-${string}` }>, { type: "step-redispatched" }>;

function isStepMove(event: BatonEvent): event is StepMove {
  return event.type.startsWith("step-") && event.type !== "step-redispatched";
}

function moveTask(replay: Replay, from: TaskState, to: TaskState): void {
  if (replay.state !== from || !legalMoves.has(`${from}>${to}`)) {
    throw new BatonError("illegal-transition", `The task is ${replay.state} and may not move from ${from} to ${to}.`);
  }
  replay.state = to;
}

function moveStep(replay: Replay, step: GraphStep, attemptNo: number, { type, data }: StepMove): void {
  const { graph } = replay;
  switch (type) {
    case "step-started":
      graph.move(step, "claim", "running");
      step.attemptNo = attemptNo;
      if (bucketIn(step) === "running") replay.claimedCount += 1;
      break;
    case "step-completed":
      graph.move(step, "complete", "completed");
      graph.follow(step, data.deadEdges);
      break;
    case "step-retry-scheduled":
      graph.move(step, "retry-later", "ready");
      step.failureCount = data.failureCount;
      break;
    case "step-failed":
      graph.move(step, data.crashCount > step.crashCount ? "crash" : "exhaust", "failed");
      step.failureCount = data.failureCount;
      step.crashCount = data.crashCount;
      step.held = data.held === true;
      break;
    case "step-released":
      graph.move(step, "release", "ready");
      break;
    case "step-crashed":
      graph.move(step, "crash", "ready");
      step.crashCount = data.crashCount;
      break;
    case "step-expanded":
      graph.expand(step, data.itemCount, data.concurrency);
      break;
    case "step-deferred":
      graph.defer(step, data.onStepIds);
      break;
    case "step-asked":
      graph.move(step, "wait", "waiting");
      break;
    case "step-woken":
      graph.move(step, "wake", "ready");
      break;
    case "step-skipped":
      graph.move(step, "skip", "skipped");
      graph.follow(step, "all");
      break;
    case "step-reopened":
      graph.move(step, "reopen", "ready");
      step.failureCount = 0;
      step.crashCount = 0;
      break;
    case "step-resolved":
      graph.move(step, "resolve", data.state);
      graph.follow(step, data.state === "skipped" ? "all" : (data.deadEdges ?? []));
      break;
  }
}

/** Whether a ready step is dispatched or backing off is not in the log. */
function bucketIn(step: GraphStep): Bucket {
  const onExhausted = step.held ? "hold" : step.onExhausted;
  return bucketOf({ ...step, onExhausted, dispatched: false, backingOff: false });
}

function countersOf({ graph, claimedCount }: Replay): ReducedCounters {
  const counters = Object.fromEntries(reducedCounters.map((name) => [name, 0])) as Record<ReducedCounter, number>;
  for (const step of graph.steps.values()) {
    counters[bucketIn(step) as ReducedCounter] += 1;
  }
  counters.claimed = claimedCount;
  return counters;
}
