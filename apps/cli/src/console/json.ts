/** A value as JSON for a terminal: indented lines that fit, and not too many of them. */
import { fit, printable } from "./text.ts";

const shownLines = 40;

export function jsonLines(value: unknown, columns: number): string[] {
  const lines = printable(JSON.stringify(value, undefined, 2)).split("\n");
  const shown = lines.slice(0, shownLines).map((line) => fit(`  ${line}`, columns));
  return lines.length > shownLines
    ? [...shown, `  … ${lines.length - shownLines} more lines; --json shows all`]
    : shown;
}
