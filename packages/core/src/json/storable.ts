/**
 * What may be stored as jsonb.
 *
 * Purpose: find, before a write, the one place inside a value that the store cannot keep. Boundary:
 * looks only; refusing or repairing is the caller's decision.
 *
 * 1. Iterative: a value nested 100,000 deep costs memory, never the stack.
 * 2. Every object is looked at once, so shared references stay linear; a cycle is unstorable.
 * 3. A property whose value is `undefined` counts as absent, as it does for JSON.stringify.
 */
import { jsonPointer } from "./pointer.ts";
import { wellFormed } from "./text.ts";

/** One container on the way from the root to the place being looked at. */
interface Frame {
  readonly container: object;
  readonly keys: readonly string[] | undefined;
  readonly length: number;
  next: number;
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

function isStorableScalar(value: unknown): boolean {
  if (typeof value === "string") return isStorableText(value);
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "boolean" || value === null;
}

function open(container: object): Frame {
  if (Array.isArray(container)) return { container, keys: undefined, length: container.length, next: 0 };
  const keys = Object.keys(container);
  return { container, keys, length: keys.length, next: 0 };
}

function pointerTo(frames: readonly Frame[]): string {
  return jsonPointer(
    frames.map(({ keys, next }) => (keys === undefined ? next - 1 : wellFormed(keys[next - 1] ?? ""))),
  );
}

/**
 * The pointer of the first place that jsonb cannot keep: NUL or a lone surrogate in a text or a key,
 * a number that is not finite, a cycle, or anything that is not JSON (bigint, Date, Map, function …).
 */
export function findUnstorable(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return isStorableScalar(value) ? undefined : "";
  if (!Array.isArray(value) && !isPlainObject(value)) return "";
  const frames: Frame[] = [open(value)];
  const onPath = new Set<object>([value]);
  const seen = new Set<object>([value]);
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    if (frame.next === frame.length) {
      onPath.delete(frame.container);
      frames.pop();
      continue;
    }
    const key = frame.keys?.[frame.next] ?? frame.next;
    frame.next += 1;
    const child: unknown = Reflect.get(frame.container, key);
    if (child === undefined && frame.keys !== undefined) continue;
    if (typeof key === "string" && !isStorableText(key)) return pointerTo(frames);
    if (typeof child !== "object" || child === null) {
      if (!isStorableScalar(child)) return pointerTo(frames);
      continue;
    }
    if (onPath.has(child) || !(Array.isArray(child) || isPlainObject(child))) return pointerTo(frames);
    if (seen.has(child)) continue;
    seen.add(child);
    onPath.add(child);
    frames.push(open(child));
  }
  return undefined;
}

/** How deep arrays and objects are nested: 0 for a scalar, 1 for `[]`. The value has no cycles. */
export function jsonDepth(value: unknown): number {
  let deepest = 0;
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    if (typeof entry.value !== "object" || entry.value === null) continue;
    const depth = entry.depth + 1;
    deepest = Math.max(deepest, depth);
    for (const child of Object.values(entry.value)) {
      if (typeof child === "object" && child !== null) open.push({ value: child, depth });
    }
  }
  return deepest;
}
