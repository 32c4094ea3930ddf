/**
 * A task's steps while its events are replayed: edges, join rules, maps and their windows.
 *
 * Boundary: what the verbs do to the graph without an event of its own. It shares no code with their
 * SQL, so that a disagreement between both shows.
 *
 * 1. A step moves only as stepTable says; any other move throws `illegal-transition`.
 * 2. An edge is judged once.
 */
import { BatonError } from "../errors/errors.ts";
import { type StepEvent, stepTargets } from "../lifecycle/step-table.ts";
import type { EdgeVerdict, StepKind, StepState } from "../lifecycle/states.ts";
import type { AddedStep } from "./catalogue.ts";

export interface GraphStep {
  readonly stepId: string;
  readonly key: string;
  readonly kind: StepKind;
  readonly onExhausted: "fail" | "hold";
  readonly parentStepId: string | undefined;
  readonly itemIndex: number | undefined;
  state: StepState;
  attemptNo: number;
  failureCount: number;
  crashCount: number;
  /** It failed for a person to decide, whatever its policy is. */
  held: boolean;
  join: "all" | number;
  /** Verdict by the step the edge comes from, and how many have each. */
  edges: Map<string, EdgeVerdict>;
  verdicts: Record<EdgeVerdict, number>;
  /** Of a map that expanded; items below `next` may go. */
  items: { readonly count: number; next: number; open: number } | undefined;
}

export class StepGraph {
  readonly steps = new Map<string, GraphStep>();
  readonly #targets = new Map<string, string[]>();
  readonly #items = new Map<string, GraphStep[]>();

  find(stepId: string | undefined): GraphStep {
    const step = stepId === undefined ? undefined : this.steps.get(stepId);
    if (step === undefined) throw new BatonError("internal", `An event names the step ${stepId}, which none added.`);
    return step;
  }

  move(step: GraphStep, event: StepEvent, to: StepState): void {
    if (!stepTargets(step.state, event).includes(to)) {
      throw new BatonError(
        "illegal-transition",
        `The step ${step.key} may not move from ${step.state} to ${to} by ${event}.`,
      );
    }
    step.state = to;
  }

  /** A source that is not known yet stands later in the same plan: its edge is open. */
  add(added: AddedStep): void {
    if (this.steps.has(added.stepId)) throw new BatonError("internal", `The step ${added.key} was added twice.`);
    const edges = new Map(
      added.dependsOn.map((from) => [from, verdictOf(this.steps.get(from)?.state)] satisfies [string, EdgeVerdict]),
    );
    const parent = added.parentStepId === undefined ? undefined : this.find(added.parentStepId);
    const step: GraphStep = {
      stepId: added.stepId,
      key: added.key,
      kind: added.kind,
      onExhausted: added.onExhausted,
      parentStepId: added.parentStepId,
      itemIndex: added.itemIndex,
      state: "pending",
      attemptNo: 0,
      failureCount: 0,
      crashCount: 0,
      held: false,
      join: added.join,
      edges,
      verdicts: countVerdicts(edges),
      items: undefined,
    };
    this.steps.set(step.stepId, step);
    for (const from of edges.keys()) this.#aim(from, step.stepId);
    if (parent === undefined) {
      if (joinHolds(step)) this.move(step, "satisfy", "ready");
      return;
    }
    const index = added.itemIndex ?? 0;
    const siblings = this.#items.get(parent.stepId) ?? [];
    siblings[index] = step;
    this.#items.set(parent.stepId, siblings);
    if (index < (parent.items?.next ?? 0)) this.move(step, "satisfy", "ready");
  }

  /** Judges the edges out of a settled step and readies the successors whose join rule now holds. */
  follow(from: GraphStep, deadEdges: "all" | readonly string[]): void {
    const dead = new Set(deadEdges === "all" ? this.#targets.get(from.stepId) : deadEdges);
    for (const target of this.#targets.get(from.stepId) ?? []) {
      const step = this.find(target);
      if (step.edges.get(from.stepId) !== "open") continue;
      const verdict = dead.has(target) ? "dead" : "satisfied";
      step.edges.set(from.stepId, verdict);
      step.verdicts.open -= 1;
      step.verdicts[verdict] += 1;
      if (step.state === "pending" && joinHolds(step)) this.move(step, "satisfy", "ready");
    }
    if (from.parentStepId !== undefined) this.#advance(this.find(from.parentStepId));
  }

  expand(map: GraphStep, count: number, concurrency: number): void {
    this.move(map, "wait", "waiting");
    map.items = { count, next: Math.min(concurrency, count), open: count };
  }

  /** The step waits for exactly these; what it waited for before no longer matters. */
  defer(step: GraphStep, onStepIds: readonly string[]): void {
    this.move(step, "defer", "pending");
    step.join = "all";
    step.edges = new Map(onStepIds.map((from) => [from, "open"]));
    step.verdicts = countVerdicts(step.edges);
    for (const from of onStepIds) this.#aim(from, step.stepId);
  }

  #aim(from: string, to: string): void {
    const targets = this.#targets.get(from);
    if (targets === undefined) this.#targets.set(from, [to]);
    else targets.push(to);
  }

  /** An item is settled: the next one may go, and the map itself when it was the last. */
  #advance(map: GraphStep): void {
    const { items } = map;
    if (items === undefined) throw new BatonError("internal", `The map ${map.key} has items but never expanded.`);
    items.open -= 1;
    if (items.next < items.count) {
      const next = this.#items.get(map.stepId)?.[items.next];
      items.next += 1;
      if (next?.state === "pending") this.move(next, "satisfy", "ready");
    }
    if (items.open === 0 && map.state === "waiting") this.move(map, "wake", "ready");
  }
}

function verdictOf(source: StepState | undefined): EdgeVerdict {
  if (source === "completed") return "satisfied";
  return source === "skipped" || source === "cancelled" ? "dead" : "open";
}

function countVerdicts(edges: ReadonlyMap<string, EdgeVerdict>): Record<EdgeVerdict, number> {
  const counts = { open: 0, satisfied: 0, dead: 0 };
  for (const verdict of edges.values()) counts[verdict] += 1;
  return counts;
}

function joinHolds({ join, edges, verdicts }: GraphStep): boolean {
  if (join === "all") return verdicts.satisfied === edges.size;
  return verdicts.satisfied >= Math.min(join, edges.size);
}
