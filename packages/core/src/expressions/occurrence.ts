import { jsonPointer } from "../json/pointer.ts";

/** A `{"$cel": …}` inside a JSON value. `source` is undefined when it is malformed. */
export interface ExpressionOccurrence {
  readonly segments: readonly (string | number)[];
  readonly source: string | undefined;
  readonly pointer: string;
}

interface Place {
  readonly value: object;
  readonly parent: Place | undefined;
  readonly key: string | number;
}

function segmentsOf(place: Place): (string | number)[] {
  const segments: (string | number)[] = [];
  for (let at = place; at.parent !== undefined; at = at.parent) segments.push(at.key);
  return segments.reverse();
}

function sourceOf(expression: object): string | undefined {
  const source: unknown = Reflect.get(expression, "$cel");
  return typeof source === "string" && source !== "" && Object.keys(expression).length === 1 ? source : undefined;
}

/** Every expression inside a JSON value, in its order. Iterative; looks nowhere inside an expression. */
export function expressionsIn(value: unknown): readonly ExpressionOccurrence[] {
  const found: ExpressionOccurrence[] = [];
  if (typeof value !== "object" || value === null) return found;
  const open: Place[] = [{ value, parent: undefined, key: "" }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { value: container } = place;
    if (!Array.isArray(container) && Object.hasOwn(container, "$cel")) {
      const segments = segmentsOf(place);
      found.push({ segments, source: sourceOf(container), pointer: jsonPointer(segments) });
      continue;
    }
    const entries = [...(Array.isArray(container) ? container.entries() : Object.entries(container))];
    for (const [key, child] of entries.reverse()) {
      if (typeof child === "object" && child !== null) open.push({ value: child, parent: place, key });
    }
  }
  return found;
}
