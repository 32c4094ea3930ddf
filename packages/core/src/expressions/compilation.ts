import type { ParseResult } from "@marcbachmann/cel-js";
import { EvaluationError, ParseError, TypeError as TypeMismatch } from "@marcbachmann/cel-js";
import type { ExpressionProblem } from "./failure.ts";
import { positionAt } from "./failure.ts";
import { inspect } from "./inspection.ts";
import type { Inspection } from "./inspection.ts";
import { language, mapVariables, maxSourceChars } from "./language.ts";
import { meterEvaluation } from "./metering.ts";
import { plainPath } from "./path.ts";
import type { PlainPath } from "./path.ts";

export type Evaluator = (scope: object) => unknown;

/** How an expression gets its value, besides what it says. */
export type Compiled = Inspection & { readonly source: string } & (
    | { readonly kind: "refused" }
    | { readonly kind: "path"; readonly path: PlainPath }
    | { readonly kind: "cel"; readonly evaluator: () => Evaluator }
  );

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
  if (error instanceof RangeError) return { kind, message: "it is nested too deeply", ...positionAt(source, 0) };
  if (!isCelFailure(error)) throw error;
  const hint = error.code === "incompatible_ternary_branches" ? "; wrap one in dyn(…) to mix them" : "";
  return { kind, message: `${error.summary}${hint}`, ...positionAt(source, error.range?.start ?? 0) };
}

function refused(source: string, problem: ExpressionProblem, inspection?: Inspection): Compiled {
  const said = inspection ?? { references: [], mapUses: [], hasLoop: false };
  return { kind: "refused", source, ...said, problems: [problem] };
}

function compiledPath(source: string, path: PlainPath): Compiled {
  const { root, segments } = path;
  return {
    kind: "path",
    source,
    path,
    problems: [],
    hasLoop: false,
    references: root === "steps" ? [{ step: String(segments[0]), offset: 0 }] : [],
    mapUses: mapVariables.has(root) ? [{ name: root, offset: 0 }] : [],
  };
}

/** Type-checks and meters what was parsed. @throws the library's type error */
function evaluatorOf(parsed: ParseResult): Evaluator {
  const { error } = parsed.check();
  if (error !== undefined) throw error;
  meterEvaluation(parsed.ast);
  return (scope) => parsed(scope);
}

function compileCel(source: string): Compiled {
  let parsed: ParseResult;
  try {
    parsed = language.parse(source);
  } catch (error) {
    return refused(source, problemOf(source, "syntax", error));
  }
  const inspection = inspect(source, parsed.ast);
  if (inspection.problems.length > 0) return { kind: "refused", source, ...inspection };
  try {
    const first = evaluatorOf(parsed);
    // Inside the library a loop keeps the last scope alive, and with it a task's data: compiled per use.
    const evaluator = inspection.hasLoop ? () => evaluatorOf(language.parse(source)) : () => first;
    return { kind: "cel", source, ...inspection, evaluator };
  } catch (error) {
    return refused(source, problemOf(source, "type", error), inspection);
  }
}

function tooLong(source: string): Compiled {
  const message = `an expression has at most ${maxSourceChars} characters; this one has ${source.length}`;
  return refused(source, { kind: "syntax", message, line: 1, column: 1 });
}

const maxCached = 1_000;
const cache = new Map<string, Compiled>();

/** Compiles, or finds what was compiled; the oldest entry makes room. */
export function compile(source: string): Compiled {
  if (source.length > maxSourceChars) return tooLong(source);
  const known = cache.get(source);
  if (known !== undefined) return known;
  const path = plainPath(source);
  const compiled = path === undefined ? compileCel(source) : compiledPath(source, path);
  const oldest = cache.size >= maxCached ? cache.keys().next().value : undefined;
  if (oldest !== undefined) cache.delete(oldest);
  cache.set(source, compiled);
  return compiled;
}
