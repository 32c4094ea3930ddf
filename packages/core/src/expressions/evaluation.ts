import { compile, isCelFailure } from "./compilation.ts";
import type { Evaluator } from "./compilation.ts";
import { invalidExpression, NotJson, positionAt, TooExpensive } from "./failure.ts";
import { isJsonContainer, jsonOf, setOwn } from "./json.ts";
import { meter } from "./meter.ts";
import { expressionsIn } from "./occurrence.ts";
import { followPath } from "./path.ts";

/** What the steps of a task have produced, and what the task was given. All values are JSON. */
export interface ExpressionScope {
  readonly steps: Readonly<Record<string, { readonly output: unknown; readonly state: string }>>;
  readonly input?: unknown;
  readonly goal?: string;
  /** Inside a map's step: the element, and its position from 0. */
  readonly item?: unknown;
  readonly index?: number;
}

/**
 * The scope with every object that has a key `constructor` as a Map: the library asks a value's
 * `constructor` what it is, so such data (a word count, a JSON Schema) would be refused as foreign.
 */
function withoutConstructorKeys(scope: object): object {
  const root: Record<string, unknown> = {};
  const open: { readonly from: object; readonly put: (key: string, value: unknown) => void }[] = [
    { from: scope, put: (key, value) => setOwn(root, key, value) },
  ];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { from, put } = entry;
    for (const [key, child] of Object.entries(from)) {
      if (typeof child !== "object" || child === null || !isJsonContainer(child)) {
        put(key, child);
      } else if (!Array.isArray(child) && Object.hasOwn(child, "constructor")) {
        const copy = new Map<string, unknown>();
        put(key, copy);
        open.push({ from: child, put: (inner, value) => copy.set(inner, value) });
      } else {
        const copy = Array.isArray(child) ? [] : {};
        put(key, copy);
        open.push({ from: child, put: (inner, value) => setOwn(copy, inner, value) });
      }
    }
  }
  return root;
}

function run(evaluator: Evaluator, scope: object): unknown {
  try {
    return evaluator(scope);
  } catch (error) {
    if (isCelFailure(error) && error.code === "unsupported_type") return evaluator(withoutConstructorKeys(scope));
    throw error;
  }
}

function failureOf(source: string, error: unknown, pointer: string | undefined): Error {
  const where = { cause: error, ...(pointer !== undefined && { pointer }) };
  if (isCelFailure(error)) {
    const start = error.range?.start;
    const position = start === undefined ? {} : { position: positionAt(source, start) };
    return invalidExpression(source, error.summary, { ...where, ...position });
  }
  if (error instanceof NotJson || error instanceof TooExpensive) {
    return invalidExpression(source, error.message, where);
  }
  if (error instanceof RangeError) {
    return invalidExpression(source, "its values are too large or nested too deeply", where);
  }
  if (error instanceof TypeError) {
    return invalidExpression(source, "its values are of kinds that do not go together", where);
  }
  return error instanceof Error ? error : new Error(String(error), { cause: error });
}

function evaluateAt(source: string, scope: ExpressionScope, pointer?: string): unknown {
  const compiled = compile(source);
  const where = pointer === undefined ? {} : { pointer };
  if (compiled.kind === "refused") {
    const position = compiled.problems[0]!;
    throw invalidExpression(source, position.message, { position, ...where });
  }
  if (compiled.kind === "path") {
    const result = followPath(compiled.path, scope);
    if (result.found) return result.value;
    throw invalidExpression(source, result.reason, where);
  }
  meter.reset();
  try {
    // Copying charges at least one unit, so a refusal that `||` or a quantifier swallowed comes back here.
    return jsonOf(run(compiled.evaluator(), scope));
  } catch (error) {
    throw failureOf(source, error, pointer);
  }
}

/**
 * The value of an expression, as JSON. A plain reference hands over the very value of the scope.
 * @throws BatonError `invalid-expression` naming the expression and the reason
 */
export function evaluateExpression(source: string, scope: ExpressionScope): unknown {
  return evaluateAt(source, scope);
}

/**
 * The value with every `{"$cel": "…"}` inside it replaced by what it evaluates to, whatever its type. What
 * an expression yields is data: a `{"$cel": …}` in it stays as it is. The given value is not changed.
 * @throws BatonError `invalid-expression`, with the JSON pointer of the place in `problems`
 */
export function resolveValue(value: unknown, scope: ExpressionScope): unknown {
  const copies = new Map<object, object>();
  const copyOf = (original: object): object => {
    const known = copies.get(original);
    if (known !== undefined) return known;
    const copy: object = Array.isArray(original)
      ? [...original]
      : Object.defineProperties({}, Object.getOwnPropertyDescriptors(original));
    copies.set(original, copy);
    return copy;
  };
  for (const { segments, source, pointer } of expressionsIn(value)) {
    if (source === undefined) throw invalidExpression("$cel", malformedExpression, { pointer });
    const result = evaluateAt(source, scope, pointer);
    const last = segments.at(-1);
    if (last === undefined) return result;
    let original = value as object;
    for (const segment of segments.slice(0, -1)) {
      const parent = copyOf(original);
      original = Reflect.get(original, segment) as object;
      setOwn(parent, segment, copyOf(original));
    }
    setOwn(copyOf(original), last, result);
  }
  return typeof value === "object" && value !== null ? (copies.get(value) ?? value) : value;
}

export const malformedExpression = 'an expression is {"$cel": "…"} with one text and no other key';
