import { BatonError } from "../errors/errors.ts";
import type { PlanGraph } from "./graph.ts";
import { neighbours } from "./graph.ts";
import { completeOrder } from "./order.ts";

/** The expected duration of a node in milliseconds, finite and not negative. */
export type WeightOf = (node: number, id: string) => number;

export interface CriticalPath {
  /** The step ids of the longest chain, first to last. */
  readonly path: readonly string[];
  readonly totalMs: number;
  /** By node: the longest remaining way to the end, the node itself included. Higher goes first. */
  readonly rankMs: Float64Array;
}

function weigh(graph: PlanGraph, weightOf: WeightOf): Float64Array {
  return Float64Array.from(graph.nodes, (id, node) => {
    const weight = weightOf(node, id);
    if (Number.isFinite(weight) && weight >= 0) return weight;
    throw new BatonError("invalid-request", `The weight of step "${id}" is ${weight}; give milliseconds, 0 or more.`);
  });
}

function ranks(graph: PlanGraph, weights: Float64Array): Float64Array {
  const rankMs = new Float64Array(graph.nodes.length);
  for (const node of completeOrder(graph).order.toReversed()) {
    let rest = 0;
    for (const next of neighbours(graph.successors, node)) rest = Math.max(rest, rankMs[next]!);
    rankMs[node] = weights[node]! + rest;
  }
  return rankMs;
}

function highest(nodes: Iterable<number>, rankMs: Float64Array): number | undefined {
  let best: number | undefined;
  for (const node of nodes) if (best === undefined || rankMs[node]! > rankMs[best]!) best = node;
  return best;
}

/**
 * The longest chain of the plan. Among equals the step that stands first in the plan.
 * @throws BatonError `invalid-plan` when the graph has a cycle
 */
export function criticalPath(graph: PlanGraph, weightOf: WeightOf): CriticalPath {
  const rankMs = ranks(graph, weigh(graph, weightOf));
  const path: string[] = [];
  const first = highest(graph.nodes.keys(), rankMs);
  for (let node = first; node !== undefined; node = highest(neighbours(graph.successors, node), rankMs)) {
    path.push(graph.nodes[node]!);
  }
  return { path, totalMs: first === undefined ? 0 : rankMs[first]!, rankMs };
}

/**
 * The lower bound of the plan's duration in seconds: no schedule on `concurrency` slots beats the longest
 * chain or the work divided by the slots (Graham 1969; a greedy schedule is within twice of it).
 */
export function estimateDuration(graph: PlanGraph, weightOf: WeightOf, concurrency: number): number {
  const weights = weigh(graph, weightOf);
  const { totalMs } = criticalPath(graph, (node) => weights[node]!);
  const work = weights.reduce((sum, weight) => sum + weight, 0);
  return Math.max(totalMs, work / Math.max(1, concurrency)) / 1_000;
}
