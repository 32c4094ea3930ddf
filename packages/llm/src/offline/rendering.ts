/**
 * Findings as labelled text. Sections are `### <source>`, so that a later step can tell them apart.
 *
 * 1. The text starts with the label. Between it and the end stand only source names, figures, and
 *    words of the sources; "Nothing found" is said with the label's line.
 */
import type { Finding } from "./findings/finding.ts";
import { offlineLabel } from "./label.ts";

export const labelled = (body: string, note = ""): string =>
  `${offlineLabel}${note === "" ? "" : ` ${note}`}${body === "" ? "" : `\n\n${body}`}`;

export function bullets(findings: readonly Finding[]): string {
  return findings.map(({ text }) => `- ${text}`).join("\n");
}

/** By source in the order of first appearance; a single unnamed source gets no heading. */
export function sections(findings: readonly Finding[]): string {
  const groups = Map.groupBy(findings, ({ source }) => source);
  return [...groups]
    .map(([source, own]) => (source === "" ? bullets(own) : `### ${source}\n\n${bullets(own)}`))
    .join("\n\n");
}

export function table(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string =>
    `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(columns), line(columns.map(() => "---")), ...rows.map(line)].join("\n");
}
