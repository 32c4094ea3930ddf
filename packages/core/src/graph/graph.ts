/**
 * The plan as a graph.
 *
 * Purpose: whether a plan can run (validation.ts), in which order (order.ts), and how long it takes at
 * best (duration.ts). Boundary: pure arithmetic over a plan's shape; who runs what when is decided by the
 * store's dispatch.
 *
 * 1. Nodes are positions in `plan.steps`; an edge goes from a dependency to the step that waits for it.
 * 2. Iterative and linear in nodes + edges: a chain of 100,000 steps neither recurses nor squares.
 * 3. Adjacency is in compressed rows: the neighbours of node i are `targets[offsets[i] … offsets[i+1])`.
 */
import { BatonError } from "../errors/errors.ts";
import type { PlanSpec, StepSpec } from "../plan/spec.ts";

/** Neighbours of every node in compressed rows. */
export interface Adjacency {
  readonly offsets: Int32Array;
  readonly targets: Int32Array;
}

/** Edge k goes from `from[k]` to `to[k]`. */
export interface Edges {
  readonly from: Int32Array;
  readonly to: Int32Array;
}

export interface PlanGraph {
  /** Step ids by node index, in the plan's order. */
  readonly nodes: readonly string[];
  readonly edges: Edges;
  readonly successors: Adjacency;
  readonly predecessors: Adjacency;
}

/** One entry of `depends_on`, with the place it stands in. */
export interface Dependency {
  readonly step: string;
  readonly when: string | undefined;
}

export function dependenciesOf(step: StepSpec): readonly Dependency[] {
  return (step.depends_on ?? []).map((entry) =>
    typeof entry === "string" ? { step: entry, when: undefined } : { step: entry.step, when: entry.when?.$cel },
  );
}

function adjacency(size: number, rows: Int32Array, targets: Int32Array): Adjacency {
  const offsets = new Int32Array(size + 1);
  for (const row of rows) offsets[row + 1]! += 1;
  for (let node = 0; node < size; node++) offsets[node + 1]! += offsets[node]!;
  const next = offsets.slice(0, size);
  const sorted = new Int32Array(targets.length);
  for (let edge = 0; edge < targets.length; edge++) {
    const row = rows[edge]!;
    sorted[next[row]!] = targets[edge]!;
    next[row]! += 1;
  }
  return { offsets, targets: sorted };
}

export function graphOf(nodes: readonly string[], edges: Edges): PlanGraph {
  return {
    nodes,
    edges,
    successors: adjacency(nodes.length, edges.from, edges.to),
    predecessors: adjacency(nodes.length, edges.to, edges.from),
  };
}

export function neighbours({ offsets, targets }: Adjacency, node: number): Int32Array {
  return targets.subarray(offsets[node]!, offsets[node + 1]!);
}

/**
 * The graph of a plan that `validatePlan` has accepted. Dependencies on existing steps of the task are
 * behind it already: they are no edges.
 * @throws BatonError `invalid-plan` when a step is defined twice or a dependency is unknown
 */
export function buildGraph(spec: PlanSpec, existingSteps?: ReadonlySet<string>): PlanGraph {
  const indexOf = new Map(spec.steps.map(({ id }, index) => [id, index] as const));
  if (indexOf.size !== spec.steps.length)
    throw new BatonError("invalid-plan", "Two steps of the plan have the same id.");
  const from: number[] = [];
  const to: number[] = [];
  for (const [index, step] of spec.steps.entries()) {
    for (const dependency of dependenciesOf(step)) {
      const source = indexOf.get(dependency.step);
      if (source === undefined) {
        if (existingSteps?.has(dependency.step) === true) continue;
        throw new BatonError(
          "invalid-plan",
          `Step "${step.id}" depends on "${dependency.step}", which does not exist.`,
        );
      }
      from.push(source);
      to.push(index);
    }
  }
  const nodes = spec.steps.map(({ id }) => id);
  return graphOf(nodes, { from: Int32Array.from(from), to: Int32Array.from(to) });
}
