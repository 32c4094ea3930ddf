/**
 * The expression language of plans: CEL over the values of a task.
 *
 * Purpose: one syntax for references and conditions, `{"$cel": "steps.scan.output.files"}`. Boundary:
 * pure; the values come in as a scope, JSON in and JSON out. The only room that knows the CEL library.
 *
 * 1. An expression sees `steps`, `input`, `goal` and, inside a map, `item` and `index`: nothing else exists.
 * 2. A step is always named literally, so planning knows every reference.
 * 3. Evaluation ends: no regular expressions, no rebinding, and every loop and every copy is metered.
 * 4. Only own properties are visible; what comes out of data is never evaluated again.
 *
 * Numbers: a JSON number is a double, a written `3` is an int, and mixing them gives a double, so
 * `steps.a.output.count > 3`, `index + 1` and `steps.a.output.list[index]` mean what they say.
 * `7 / 2` is 3 (two ints), `steps.a.output.count / 2` is exact.
 *
 * Functions: `size(x)`, `has(a.b)`, `int(x)`, `double(x)`, `string(x)`, `bool(x)`, `dyn(x)` (for branches of
 * different types), `text(x)` (a text as it is, anything else as JSON), `json(x)` (the JSON text).
 * On texts: `contains startsWith endsWith lowerAscii upperAscii trim split indexOf lastIndexOf substring size`.
 * On lists: `join` (of anything, by `text`), `map filter all exists exists_one size`.
 */
import { Environment } from "@marcbachmann/cel-js";
import { jsonOf } from "./json.ts";

/** Parse-time bounds. An expression is a line in a plan; programs belong into tools. */
export const expressionLimits = {
  maxAstNodes: 1_000,
  maxDepth: 64,
  maxListElements: 256,
  maxMapEntries: 256,
  maxCallArguments: 8,
} as const;

export const maxSourceChars = 4_000;

export const scopeVariables: ReadonlySet<string> = new Set(["steps", "input", "goal", "item", "index"]);
export const mapVariables: ReadonlySet<string> = new Set(["item", "index"]);
export const loopMethods: ReadonlySet<string> = new Set(["map", "filter", "all", "exists", "exists_one"]);

/** `matches` is missing because a JavaScript regular expression can run for ever; `bind` because it doubles. */
export const callableNames: ReadonlySet<string> = new Set([
  ...["size", "has", "int", "double", "string", "bool", "dyn", "text", "json"],
  ...["contains", "startsWith", "endsWith", "lowerAscii", "upperAscii", "trim", "split"],
  ...["indexOf", "lastIndexOf", "substring", "join"],
  ...loopMethods,
]);

const jsonText = (value: unknown): string => JSON.stringify(jsonOf(value));
const textOf = (value: unknown): string => (typeof value === "string" ? value : jsonText(value));

const arithmetic = {
  "+": (a: number, b: number) => a + b,
  "-": (a: number, b: number) => a - b,
  "*": (a: number, b: number) => a * b,
  "/": (a: number, b: number) => a / b,
  "%": (a: number, b: number) => a % b,
};

function createLanguage(): Environment {
  const language = new Environment({ homogeneousAggregateLiterals: false, limits: expressionLimits });
  for (const name of scopeVariables) language.registerVariable(name, "dyn");
  for (const [operator, apply] of Object.entries(arithmetic)) {
    const mixed = (left: number | bigint, right: number | bigint): number => apply(Number(left), Number(right));
    // The result's type is named: by default it would be the left one, and `3 - index` an int that holds a double.
    language.registerOperator(`double ${operator} int: double`, mixed);
    language.registerOperator(`int ${operator} double: double`, mixed);
  }
  language.registerOperator("double % double", arithmetic["%"]);
  const sync = { async: false };
  language.registerFunction("json(dyn): string", jsonText, sync);
  language.registerFunction("text(dyn): string", textOf, sync);
  const join = (list: readonly unknown[], separator: string): string => list.map(textOf).join(separator);
  language.registerFunction("list.join(string): string", join, sync);
  return language;
}

export const language = createLanguage();
