import type { ASTNode } from "@marcbachmann/cel-js";
import { EvaluationError, ParseError, TypeError as TypeMismatch } from "@marcbachmann/cel-js";
import type { ExpressionProblem } from "./failure.ts";
import { positionAt } from "./failure.ts";
import { inspect } from "./inspection.ts";
import type { Inspection } from "./inspection.ts";
import { language, maxSourceChars } from "./language.ts";
import { meterEvaluation } from "./metering.ts";
import { plainPath } from "./path.ts";
import type { PlainPath } from "./path.ts";

export type Evaluator = (scope: object) => unknown;

export interface Compiled extends Inspection {
  readonly source: string;
  readonly path?: PlainPath;
  /** Undefined for a plain path, and when there are problems. */
  readonly evaluator?: () => Evaluator;
}

/** The error classes of the library have this in common. */
export interface CelFailure {
  readonly code: string;
  readonly summary: string;
  readonly range?: { readonly start: number };
}

export function isCelFailure(error: unknown): error is Error & CelFailure {
  return error instanceof ParseError || error instanceof EvaluationError || error instanceof TypeMismatch;
}

function problemOf(source: string, kind: "syntax" | "type", error: unknown): ExpressionProblem {
  if (!isCelFailure(error)) throw error;
  const hint = error.code === "incompatible_ternary_branches" ? "; wrap one in dyn(…) to mix them" : "";
  return { kind, message: `${error.summary}${hint}`, ...positionAt(source, error.range?.start ?? 0) };
}

const nothing = { references: [], mapUses: [], hasLoop: false } as const;

function parse(source: string): { ast: ASTNode; evaluate: Evaluator } | { problem: ExpressionProblem } {
  try {
    const parsed = language.parse(source);
    return { ast: parsed.ast, evaluate: (scope) => parsed(scope) };
  } catch (error) {
    return { problem: problemOf(source, "syntax", error) };
  }
}

function checkedEvaluator(source: string): Evaluator | ExpressionProblem {
  const parsed = language.parse(source);
  const { error } = parsed.check();
  if (error !== undefined) return problemOf(source, "type", error);
  meterEvaluation(parsed.ast);
  return (scope) => parsed(scope);
}

function compileAnew(source: string): Compiled {
  const path = plainPath(source);
  if (path !== undefined) return compiledPath(source, path);
  if (source.length > maxSourceChars) {
    const message = `an expression has at most ${maxSourceChars} characters; this one has ${source.length}`;
    return { source, ...nothing, problems: [{ kind: "syntax", message, line: 1, column: 1 }] };
  }
  const parsed = parse(source);
  if ("problem" in parsed) return { source, ...nothing, problems: [parsed.problem] };
  const inspection = inspect(source, parsed.ast);
  if (inspection.problems.length > 0) return { source, ...inspection };
  const first = checkedEvaluator(source);
  if (typeof first !== "function") return { source, ...inspection, problems: [first] };
  // Inside the library a loop keeps the last scope alive, and with it a task's data: compiled per use.
  const again = (): Evaluator => checkedEvaluator(source) as Evaluator;
  return { source, ...inspection, evaluator: inspection.hasLoop ? again : () => first };
}

function compiledPath(source: string, path: PlainPath): Compiled {
  const { root, segments } = path;
  return {
    source,
    path,
    problems: [],
    hasLoop: false,
    references: root === "steps" ? [{ step: String(segments[0]), offset: 0 }] : [],
    mapUses: root === "item" || root === "index" ? [{ name: root, offset: 0 }] : [],
  };
}

const maxCached = 1_000;
const cache = new Map<string, Compiled>();

/** Compiles, or finds what was compiled; the oldest entry makes room. */
export function compile(source: string): Compiled {
  const known = cache.get(source);
  if (known !== undefined) return known;
  const compiled = compileAnew(source);
  const oldest = cache.size >= maxCached ? cache.keys().next().value : undefined;
  if (oldest !== undefined) cache.delete(oldest);
  cache.set(source, compiled);
  return compiled;
}
