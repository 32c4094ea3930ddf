import type { PlanGraph } from "./graph.ts";
import { neighbours } from "./graph.ts";

/** The question whether `ancestor` is certain to come before `node`. */
export interface AncestryQuestion {
  readonly ancestor: number;
  readonly node: number;
}

const batchSize = 32;

/**
 * Which of the questions are answered with no: there is no way from `ancestor` to `node`.
 *
 * Thirty-two ancestors at a time travel along the edges as bits, over the part of the order between the
 * first ancestor and the last asking node; one pass is linear, and references that are local in the
 * order cost little. `order` holds every node of the questions.
 */
export function notAncestors<Q extends AncestryQuestion>(
  graph: PlanGraph,
  order: Int32Array,
  questions: readonly Q[],
): readonly Q[] {
  const position = new Int32Array(graph.nodes.length);
  for (const [at, node] of order.entries()) position[node] = at;
  const byAncestor = Map.groupBy(questions, ({ ancestor }) => ancestor);
  const ancestors = [...byAncestor.keys()].sort((a, b) => position[a]! - position[b]!);
  const bits = new Int32Array(graph.nodes.length);
  const refuted: Q[] = [];
  for (let start = 0; start < ancestors.length; start += batchSize) {
    const batch = ancestors.slice(start, start + batchSize);
    const asked = batch.map((ancestor) => byAncestor.get(ancestor) ?? []);
    let last = 0;
    for (const { node } of asked.flat()) last = Math.max(last, position[node]!);
    const bitOf = new Map(batch.map((ancestor, bit) => [ancestor, 1 << bit] as const));
    const first = position[batch[0]!]!;
    for (let at = first; at <= last; at++) {
      const node = order[at]!;
      let seen = 0;
      for (const dependency of neighbours(graph.predecessors, node)) {
        seen |= bits[dependency]! | (bitOf.get(dependency) ?? 0);
      }
      bits[node] = seen;
    }
    for (const [bit, questionsOfOne] of asked.entries()) {
      refuted.push(...questionsOfOne.filter(({ node }) => (bits[node]! & (1 << bit)) === 0));
    }
    for (let at = first; at <= last; at++) bits[order[at]!] = 0;
  }
  return refuted;
}
