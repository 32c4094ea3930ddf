/**
 * Cycles of an import graph, each named file by file.
 *
 * Boundary: pure; a graph is a map from file to files.
 * 1. Linear: strongly connected components (Tarjan 1972), then one shortest way round in each, by breadth.
 * 2. One cycle per component: breaking it may show the next.
 */
export type Graph = ReadonlyMap<string, readonly string[]>;

export function findCycles(graph: Graph): string[][] {
  return components(graph).map((component) => shortestCycle(graph, component));
}

function components(graph: Graph): Set<string>[] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const found: Set<string>[] = [];

  const visit = (at: string): void => {
    order.set(at, order.size);
    low.set(at, order.size - 1);
    open.push(at);
    isOpen.add(at);
    for (const next of graph.get(at) ?? []) {
      if (!order.has(next)) visit(next);
      if (isOpen.has(next)) low.set(at, Math.min(low.get(at) ?? 0, low.get(next) ?? 0));
    }
    if (low.get(at) !== order.get(at)) return;
    const component = new Set(open.splice(open.lastIndexOf(at)));
    for (const member of component) isOpen.delete(member);
    if (component.size > 1 || (graph.get(at) ?? []).includes(at)) found.push(component);
  };

  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return found;
}

function shortestCycle(graph: Graph, component: ReadonlySet<string>): string[] {
  const [start] = [...component].sort();
  if (start === undefined) return [];
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const at of queue) {
    for (const next of graph.get(at) ?? []) {
      if (next === start) return [...wayTo(cameFrom, start, at), start];
      if (!component.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, at);
      queue.push(next);
    }
  }
  return [];
}

function wayTo(cameFrom: ReadonlyMap<string, string>, start: string, end: string): string[] {
  const way = [end];
  for (let at = end; at !== start; ) {
    at = cameFrom.get(at) ?? start;
    way.unshift(at);
  }
  return way;
}
