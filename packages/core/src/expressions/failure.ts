import { BatonError } from "../errors/errors.ts";
import { boundedText } from "../json/text.ts";

/** The evaluation passed its cost limit. */
export class TooExpensive extends Error {
  constructor() {
    super("it costs too much to evaluate; move the work into a step");
    this.name = "TooExpensive";
  }
}

/** The value of an expression has no form in JSON. */
export class NotJson extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NotJson";
  }
}

/** One thing wrong with an expression. `line` and `column` count from 1. */
export interface ExpressionProblem {
  readonly kind: "syntax" | "type" | "not-allowed" | "unknown-step";
  readonly message: string;
  readonly line: number;
  readonly column: number;
  /** The step named, for `unknown-step`. */
  readonly step?: string;
}

export interface SourcePosition {
  readonly line: number;
  readonly column: number;
}

export function positionAt(source: string, offset: number): SourcePosition {
  const before = source.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

/** `pointer` is where the expression stands in the value it came from. */
export function invalidExpression(
  source: string,
  reason: string,
  where: { readonly position?: SourcePosition; readonly pointer?: string; readonly cause?: unknown } = {},
): BatonError {
  const expression = boundedText(source, 200);
  const { position, pointer, cause } = where;
  const place = position === undefined ? "" : ` (line ${position.line}, column ${position.column})`;
  const message = `The expression "${expression}" failed${place}: ${boundedText(reason, 500)}`;
  return new BatonError("invalid-expression", message, {
    ...(cause !== undefined && { cause }),
    ...(pointer !== undefined && { problems: [{ pointer, detail: message }] }),
    details: {
      expression,
      reason: boundedText(reason, 500),
      ...(position !== undefined && { line: position.line, column: position.column }),
    },
  });
}
