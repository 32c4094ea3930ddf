/** Consecutive deltas of one text are one message. */

type Plain = Readonly<Record<string, unknown>>;

function isPlain(data: unknown): data is Plain {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}

/**
 * `{…same fields, delta: "a"}` followed by `{…same fields, delta: "b"}` is `{…same fields, delta: "ab"}`;
 * undefined for any other pair. Fields other than `delta` are compared by identity, so nested ones never merge.
 */
export function mergeDeltas(previous: unknown, next: unknown): Plain | undefined {
  if (!isPlain(previous) || !isPlain(next)) return undefined;
  const { delta: before, ...fields } = previous;
  const { delta: after, ...others } = next;
  if (typeof before !== "string" || typeof after !== "string") return undefined;
  const names = Object.keys(fields);
  if (names.length !== Object.keys(others).length) return undefined;
  if (!names.every((name) => Object.hasOwn(others, name) && Object.is(fields[name], others[name]))) return undefined;
  return { ...previous, delta: before + after };
}
