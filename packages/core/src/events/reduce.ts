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
import { StepGraph } from "./step-graph.ts";

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
      applyStepEvent(replay, trace, event);
  }
}

function moveTask(replay: Replay, from: TaskState, to: TaskState): void {
  if (replay.state !== from || !legalMoves.has(`${from}>${to}`)) {
    throw new BatonError("illegal-transition", `The task is ${replay.state} and may not move from ${from} to ${to}.`);
  }
  replay.state = to;
}

/** The events of one step; those that move none fall through. */
function applyStepEvent(replay: Replay, { stepId, attemptNo }: TraceRow, event: BatonEvent): void {
  const { graph } = replay;
  switch (event.type) {
    case "step-started": {
      const step = graph.find(stepId);
      graph.move(step, "claim", "running");
      step.attemptNo = attemptNo ?? 0;
      if (bucketOf({ ...step, dispatched: false, backingOff: false }) === "running") replay.claimedCount += 1;
      return;
    }
    case "step-completed":
      graph.move(graph.find(stepId), "complete", "completed");
      return graph.follow(graph.find(stepId), event.data.deadEdges);
    case "step-retry-scheduled":
      graph.move(graph.find(stepId), "retry-later", "ready");
      graph.find(stepId).failureCount = event.data.failureCount;
      return;
    case "step-failed": {
      const step = graph.find(stepId);
      graph.move(step, event.data.crashCount > step.crashCount ? "crash" : "exhaust", "failed");
      step.failureCount = event.data.failureCount;
      step.crashCount = event.data.crashCount;
      return;
    }
    case "step-released":
      return graph.move(graph.find(stepId), "release", "ready");
    case "step-crashed":
      graph.move(graph.find(stepId), "crash", "ready");
      graph.find(stepId).crashCount = event.data.crashCount;
      return;
    case "step-expanded":
      return graph.expand(graph.find(stepId), event.data.itemCount, event.data.concurrency);
    case "step-deferred":
      return graph.defer(graph.find(stepId), event.data.onStepIds);
    case "step-skipped":
      graph.move(graph.find(stepId), "skip", "skipped");
      return graph.follow(graph.find(stepId), "all");
    case "step-reopened": {
      const step = graph.find(stepId);
      graph.move(step, "reopen", "ready");
      step.failureCount = 0;
      step.crashCount = 0;
      return;
    }
    case "step-resolved":
      graph.move(graph.find(stepId), "resolve", event.data.state);
      return graph.follow(graph.find(stepId), event.data.state === "skipped" ? "all" : []);
    default:
      return;
  }
}

function countersOf({ graph, claimedCount }: Replay): ReducedCounters {
  const counters = Object.fromEntries(reducedCounters.map((name) => [name, 0])) as Record<ReducedCounter, number>;
  for (const step of graph.steps.values()) {
    counters[bucketOf({ ...step, dispatched: false, backingOff: false }) as ReducedCounter] += 1;
  }
  counters.claimed = claimedCount;
  return counters;
}
