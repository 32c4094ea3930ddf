import { compile } from "./compilation.ts";
import type { Compiled } from "./compilation.ts";
import { positionAt } from "./failure.ts";
import type { ExpressionProblem } from "./failure.ts";
import { dashHint } from "./inspection.ts";

export interface CheckOptions {
  /** Absent: any step may be named. */
  readonly knownSteps?: { has(step: string): boolean };
  /** Whether `item` and `index` exist; default false. */
  readonly inMap?: boolean;
}

function unknownSteps(compiled: Compiled, known: { has(step: string): boolean }): ExpressionProblem[] {
  return compiled.references
    .filter(({ step }) => !known.has(step))
    .map(({ step, offset }) => ({
      kind: "unknown-step" as const,
      step,
      message: `there is no step "${step}"${dashHint(compiled.source)}`,
      ...positionAt(compiled.source, offset),
    }));
}

/** Everything wrong with an expression that can be known before it runs; empty when it may run. */
export function checkExpression(source: string, options: CheckOptions = {}): readonly ExpressionProblem[] {
  const compiled = compile(source);
  const problems = [...compiled.problems];
  if (options.inMap !== true) {
    for (const { name, offset } of compiled.mapUses) {
      const message = `${name} exists only inside the step of a map`;
      problems.push({ kind: "not-allowed", message, ...positionAt(source, offset) });
    }
  }
  if (options.knownSteps !== undefined) problems.push(...unknownSteps(compiled, options.knownSteps));
  return problems;
}

/** The ids of the steps an expression names, each once, in order of appearance. */
export function referencedSteps(source: string): readonly string[] {
  return [...new Set(compile(source).references.map(({ step }) => step))];
}
