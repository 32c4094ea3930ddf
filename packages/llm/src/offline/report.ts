/**
 * The report over earlier steps' outputs, one part per step in the order of the plan.
 *
 * Steps named as in `titles` have already found what their part shows, source by source; without any
 * such step the texts themselves are read. Nothing is added to what was found.
 */
import { findDecisions } from "./findings/decisions.ts";
import type { Finding } from "./findings/finding.ts";
import { summarize } from "./findings/summary.ts";
import { findTasks } from "./findings/tasks.ts";
import type { Source, Workload } from "./material.ts";
import { asksFor } from "./operations.ts";
import { labelled, sections, table } from "./rendering.ts";

const titles: Readonly<Record<string, string>> = {
  decisions: "Decisions",
  tasks: "Open tasks",
  links: "Links",
  emails: "E-mail addresses",
  dates: "Dates",
  headings: "Contents",
  terms: "Index of terms",
  extracts: "Extracts",
};

export function writeReport(goal: string, workload: Workload): string {
  const origins = Object.keys(titles).filter((origin) => workload.origins.has(origin));
  const parts =
    origins.length > 0
      ? preparedParts(origins, workload.sources)
      : readParts(`${workload.instruction} ${goal}`, workload.sources);
  return labelled(
    parts.length === 0 ? "Nothing was found." : parts.join("\n\n"),
    "Every sentence quoted below stands word for word in its source.",
  );
}

function preparedParts(origins: readonly string[], sources: readonly Source[]): string[] {
  return origins.map((origin) => {
    const own = sources.filter((source) => source.origin === origin);
    const title = `## ${titles[origin]}`;
    if (own.length === 0) return `${title}\n\nNone found.`;
    if (origin === "terms") return `${title}\n\n${termTable(own)}`;
    const count = own.reduce((sum, { text }) => sum + pointsOf(text).length, 0);
    const body = own.map(({ name, text }) => `### ${name}\n\n${text}`).join("\n\n");
    return `${title}\n\n${count} in ${own.length} ${own.length === 1 ? "source" : "sources"}.\n\n${body}`;
  });
}

const pointsOf = (text: string): readonly string[] =>
  [...text.matchAll(/^\s*- (.+)$/gm)].map(([, point = ""]) => point);

function termTable(sources: readonly Source[]): string {
  const places = new Map<string, string[]>();
  for (const { name, text } of sources)
    for (const term of pointsOf(text)) places.set(term, [...(places.get(term) ?? []), name]);
  const rows = [...places].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  return table(
    ["term", "in"],
    rows.map(([term, names]) => [term, names.join(", ")]),
  );
}

function readParts(wanted: string, sources: readonly Source[]): string[] {
  const parts: string[] = [];
  const add = (title: string, findings: readonly Finding[]): void => {
    parts.push(`## ${title}\n\n${findings.length === 0 ? "None found." : sections(findings)}`);
  };
  if (asksFor("decisions", wanted)) add("Decisions", sources.flatMap(findDecisions));
  if (asksFor("tasks", wanted)) add("Open tasks", sources.flatMap(findTasks));
  const extracts = sources.flatMap((source) => summarize(source, { sentenceCount: 3, charCount: 1_200 }));
  if (extracts.length > 0) add("Extracts", extracts);
  return parts;
}
