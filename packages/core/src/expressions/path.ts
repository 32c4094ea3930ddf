/**
 * Plain references, such as `steps.scan.output.files[0].name`: nine of ten expressions of a plan.
 *
 * They are followed directly instead of through the evaluator, because the value is then handed over as
 * it is, without a copy and without a cost, and planning 100,000 of them stays cheap. Same result as the
 * evaluator's, proved by a property test.
 */
import { expressionLimits, scopeVariables } from "./language.ts";
import { stepFields } from "./inspection.ts";

export interface PlainPath {
  readonly root: string;
  readonly segments: readonly (string | number)[];
}

const wholePath = /^([a-z]+)((?:\.[A-Za-z_]\w*|\[(?:0|[1-9]\d{0,8})\]|\["[^"\\\r\n]*"\])*)$/;
const oneSegment = /\.(\w+)|\[(\d+)\]|\["([^"]*)"\]/g;
const keywords: ReadonlySet<unknown> = new Set(["true", "false", "null", "in"]);

/** The path a source is, or undefined when it is anything more. */
export function plainPath(source: string): PlainPath | undefined {
  const match = wholePath.exec(source);
  const root = match?.[1] ?? "";
  if (!scopeVariables.has(root)) return undefined;
  const segments: (string | number)[] = [];
  for (const [, name, index, key] of (match?.[2] ?? "").matchAll(oneSegment)) {
    if (keywords.has(name)) return undefined;
    segments.push(name ?? key ?? Number(index));
  }
  if (segments.length > expressionLimits.maxDepth / 2) return undefined;
  if (root !== "steps") return { root, segments };
  const [step, field] = segments;
  const namesStep = typeof step === "string" && (field === undefined || stepFields.includes(String(field)));
  return namesStep ? { root, segments } : undefined;
}

function keysOf(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== "object" || value === null) return value === null ? "null" : `a ${typeof value}`;
  const keys = Object.keys(value);
  if (keys.length === 0) return "an empty object";
  return `an object with ${keys.slice(0, 10).join(", ")}${keys.length > 10 ? ` and ${keys.length - 10} more` : ""}`;
}

function child(value: unknown, segment: string | number): unknown {
  if (Array.isArray(value)) return typeof segment === "number" ? value[segment] : undefined;
  if (typeof value !== "object" || value === null || typeof segment === "number") return undefined;
  return Object.hasOwn(value, segment) ? Reflect.get(value, segment) : undefined;
}

export type PathResult =
  | { readonly found: true; readonly value: unknown }
  | { readonly found: false; readonly reason: string };

/** Follows own properties and list positions only. */
export function followPath(path: PlainPath, scope: object): PathResult {
  let value: unknown = child(scope, path.root);
  let name = path.root;
  if (value === undefined) return { found: false, reason: `${name} has no value here` };
  for (const segment of path.segments) {
    const next = child(value, segment);
    if (next === undefined) {
      return { found: false, reason: `${name} is ${keysOf(value)}; it has no ${JSON.stringify(segment)}` };
    }
    value = next;
    name += typeof segment === "number" ? `[${segment}]` : `.${segment}`;
  }
  return { found: true, value };
}
