/** What a run says at its end: a table, or an object for a program. */
import type { CaseReport } from "./run-case.ts";

const columns: readonly (readonly [string, (report: CaseReport) => string])[] = [
  ["case", ({ id }) => id],
  ["backend", ({ backend }) => backend],
  ["continuation", ({ continuation }) => (continuation ? "on" : "off")],
  ["scale", ({ scale }) => scaleText(scale)],
  ["faults injected", ({ faults }) => String(faults)],
  ["recovered", ({ recovered }) => String(recovered)],
  ["lost", ({ lost }) => String(lost)],
  ["duplicated", ({ duplicated }) => String(duplicated)],
  ["longest gap", ({ longestGapMs }) => `${(longestGapMs / 1_000).toFixed(1)} s`],
  ["deadlocks", ({ deadlocks }) => String(deadlocks)],
  ["seconds", ({ seconds }) => seconds.toFixed(1)],
  ["holds", ({ findings }) => (findings.length === 0 ? "yes" : "NO")],
];

export const scaleText = (scale: CaseReport["scale"]): string =>
  Object.entries(scale)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

export function table(reports: readonly CaseReport[]): string {
  const rows = [columns.map(([title]) => title), ...reports.map((report) => columns.map(([, text]) => text(report)))];
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...body.map(line)].join("\n");
}

/** Everything that helps to repeat and to understand a run that broke an invariant. */
export function failureText(report: CaseReport): string {
  const { id, backend, continuation, seed, scale, findings, faultLog } = report;
  return [
    `${id} over ${backend}, continuation ${continuation ? "on" : "off"}, scale ${scaleText(scale)}, seed ${seed}`,
    ...findings,
    "## faults",
    faultLog,
    report.dump ?? "",
  ].join("\n");
}
