/** The table that a person reads. */
import type { Line } from "../measures/measure.ts";
import { total } from "../measures/measure.ts";
import { parts } from "../system/system.ts";

const heads = ["measure", "backend", "figure", ...parts, "all", "note"];

/** Columns of the parts: processor seconds per 1,000 steps. */
export function formatTable(lines: readonly Line[]): string {
  const rows = lines.map(({ measure, backend, figure, usage, note }) => [
    measure,
    backend,
    figure,
    ...parts.map((part) => (usage === undefined ? "" : usage[part].toFixed(2))),
    usage === undefined ? "" : total(usage).toFixed(2),
    note ?? "",
  ]);
  const widths = heads.map((head, column) => Math.max(...[heads, ...rows].map((row) => (row[column] ?? head).length)));
  const write = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return [write(heads), write(widths.map((width) => "-".repeat(width))), ...rows.map(write)].join("\n");
}
