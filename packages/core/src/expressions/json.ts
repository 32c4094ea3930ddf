import { wellFormed } from "../json/text.ts";
import { NotJson } from "./failure.ts";
import { meter, textCost } from "./meter.ts";

/** `__proto__` is an ordinary key of JSON; assigning it would set the prototype instead. */
export function setOwn(target: object, key: string | number, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (target as Record<string | number, unknown>)[key] = value;
  }
}

function jsonScalar(value: unknown): unknown {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return wellFormed(value);
  if (typeof value === "number") {
    if (Number.isFinite(value)) return value;
    throw new NotJson("the result is not a finite number (a division by zero?)");
  }
  if (typeof value === "bigint") {
    if (Number.isSafeInteger(Number(value))) return Number(value);
    throw new NotJson(`the integer ${value} is too large for a JSON number; write it as a text`);
  }
  throw new NotJson(`the result is a ${typeof value}, which has no form in JSON`);
}

interface Copy {
  readonly from: object;
  readonly to: object;
}

/** Arrays, plain objects, and the Maps that stand for plain objects during an evaluation. */
export function isJsonContainer(value: object): boolean {
  if (Array.isArray(value) || value instanceof Map) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function entriesOf(from: object): Iterable<readonly [string | number, unknown]> {
  if (Array.isArray(from)) return from.entries();
  if (from instanceof Map) return from.entries();
  return Object.entries(from).filter(([, value]) => value !== undefined);
}

/**
 * The JSON form of what the evaluator returned: ints become numbers, maps become objects. Iterative and
 * metered, because a list may hold the same large value ten thousand times.
 */
export function jsonOf(value: unknown): unknown {
  const open: Copy[] = [];
  const begin = (source: unknown): unknown => {
    meter.charge(typeof source === "string" ? textCost(source) : 1);
    if (typeof source !== "object" || source === null) return jsonScalar(source);
    if (!isJsonContainer(source)) throw new NotJson("the result holds an object that is not JSON");
    const to: object = Array.isArray(source) ? [] : {};
    open.push({ from: source, to });
    return to;
  };
  const root = begin(value);
  for (let copy = open.pop(); copy !== undefined; copy = open.pop()) {
    for (const [key, child] of entriesOf(copy.from)) setOwn(copy.to, key, begin(child));
  }
  return root;
}
