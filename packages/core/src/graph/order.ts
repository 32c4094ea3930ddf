import { BatonError } from "../errors/errors.ts";
import type { PlanGraph } from "./graph.ts";
import { neighbours } from "./graph.ts";

export interface TopologicalOrder {
  /** Nodes such that every dependency stands before what waits for it; without the nodes on or behind a cycle. */
  readonly order: Int32Array;
  /** By node: the number of edges on the longest way from a node without dependencies. */
  readonly level: Int32Array;
  /** By node: whether it is in `order`. */
  readonly reached: Uint8Array;
}

/** Kahn, A. B. (1962), "Topological sorting of large networks"; ties in the plan's order. */
export function topologicalOrder(graph: PlanGraph): TopologicalOrder {
  const size = graph.nodes.length;
  const open = new Int32Array(size);
  for (const target of graph.edges.to) open[target]! += 1;
  const order = new Int32Array(size);
  const level = new Int32Array(size);
  const reached = new Uint8Array(size);
  let found = 0;
  const settle = (node: number): void => {
    reached[node] = 1;
    order[found] = node;
    found += 1;
  };
  for (let node = 0; node < size; node++) if (open[node] === 0) settle(node);
  for (let at = 0; at < found; at++) {
    const node = order[at]!;
    for (const next of neighbours(graph.successors, node)) {
      level[next] = Math.max(level[next]!, level[node]! + 1);
      open[next]! -= 1;
      if (open[next] === 0) settle(next);
    }
  }
  return { order: order.subarray(0, found), level, reached };
}

/** @throws BatonError `invalid-plan` when the graph has a cycle */
export function completeOrder(graph: PlanGraph): TopologicalOrder {
  const found = topologicalOrder(graph);
  if (found.order.length === graph.nodes.length) return found;
  const [cycle] = findCycles(graph, found.reached);
  throw new BatonError("invalid-plan", cycleMessage(graph, cycle ?? []));
}

/**
 * The nodes in levels: level 0 waits for nothing, level n for at least one node of level n−1.
 * @throws BatonError `invalid-plan` when the graph has a cycle
 */
export function topologicalLevels(graph: PlanGraph): readonly (readonly number[])[] {
  const { order, level } = completeOrder(graph);
  const levels: number[][] = [];
  for (const node of order) {
    const at = level[node]!;
    const members = levels[at] ?? [];
    members.push(node);
    levels[at] = members;
  }
  return levels;
}

/**
 * Cycles among the nodes that no topological order reaches, each as the nodes in "depends on" order. At
 * least one whenever such nodes exist, and no node is in two: each of them has an unreached dependency,
 * so walking along dependencies must come back to the walk or to an earlier one.
 */
export function findCycles(graph: PlanGraph, reached: Uint8Array): readonly (readonly number[])[] {
  const cycles: number[][] = [];
  const walkOf = new Int32Array(graph.nodes.length);
  for (let start = 0; start < graph.nodes.length; start++) {
    if (reached[start] === 1 || walkOf[start] !== 0) continue;
    const walk: number[] = [];
    let node = start;
    while (walkOf[node] === 0) {
      walkOf[node] = start + 1;
      walk.push(node);
      node = neighbours(graph.predecessors, node).find((dependency) => reached[dependency] === 0) ?? node;
    }
    if (walkOf[node] === start + 1) cycles.push(walk.slice(walk.indexOf(node)));
  }
  return cycles;
}

const maxNamed = 20;

/** Names a cycle step by step; a very long one by its first steps and its last. */
export function cycleMessage(graph: PlanGraph, cycle: readonly number[]): string {
  const names = cycle.map((node) => graph.nodes[node] ?? "");
  const first = names[0] ?? "";
  const shown =
    names.length <= maxNamed
      ? names
      : [...names.slice(0, maxNamed - 1), `(${names.length - maxNamed} more)`, names.at(-1) ?? ""];
  const chain = [...shown, first].join(" → ");
  return `These steps wait for each other: ${chain} (each depends on the next). Remove one of these dependencies.`;
}
