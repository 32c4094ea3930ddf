/**
 * Reasoning and summarising without a language model: find, count, quote.
 *
 * 1. Extractive: every sentence of an answer stands verbatim in its source.
 * 2. What needs a language model, or finds no material, is `offline-cannot-answer`, never a guess.
 */
import { BatonError } from "@baton/core";
import { findDecisions } from "./findings/decisions.ts";
import { compareTexts, countText, type FileOrder, filesIn, rankFiles, type TextFigures } from "./findings/figures.ts";
import type { Finding } from "./findings/finding.ts";
import { findHeadings } from "./findings/outline.ts";
import { findReferences } from "./findings/references.ts";
import { findRelevant } from "./findings/relevance.ts";
import { summarize } from "./findings/summary.ts";
import { findTasks } from "./findings/tasks.ts";
import { findTerms } from "./findings/terms.ts";
import type { Source, Workload } from "./material.ts";
import { needsLanguageModel, type Operation, operationOf } from "./operations.ts";
import { bullets, labelled, sections, table } from "./rendering.ts";
import { writeReport } from "./report.ts";

export function cannotAnswer(why: string): BatonError {
  return new BatonError(
    "offline-cannot-answer",
    `The offline model cannot answer: ${why} It extracts, counts, compares and quotes given texts. ` +
      "For anything else choose a language model.",
  );
}

export function answerText(goal: string, workload: Workload): string {
  const { instruction, sources } = workload;
  const operation = operationOf(instruction);
  if (needsLanguageModel.test(instruction)) throw cannotAnswer("the instruction asks for new text or judgement.");
  // Files may be none: a report can say so, everything else needs a text.
  if (operation === "report") return writeReport(goal, workload);
  if (sources.length === 0 && workload.values.length === 0) throw cannotAnswer("there is no text to work on.");
  if (operation !== undefined) return perform(operation, workload);
  const relevant = findRelevant(sources, instruction, 8);
  if (relevant.length > 0) return labelled(sections(relevant));
  if (/[?？]\s*$/.test(instruction)) throw cannotAnswer("no sentence of the given texts speaks about the question.");
  return perform("summarize", workload);
}

function perform(operation: Exclude<Operation, "report">, workload: Workload): string {
  const { instruction, sources, values } = workload;
  switch (operation) {
    case "merge":
      return labelled(sources.map(({ name, text }) => (name === "" ? text : `### ${name}\n\n${text}`)).join("\n\n"));
    case "compare":
      return comparison(sources);
    case "count":
      return counts(sources, values);
    case "rank":
      return ranking(instruction, values);
    case "headings":
      return labelled(
        sources
          .map(contents)
          .filter((text) => text !== "")
          .join("\n\n"),
        sources.some(hasHeading) ? "" : "No headings.",
      );
    case "terms":
      return termIndex(sources);
    case "summarize":
      return labelled(sections(summaries(sources, boundsOf(instruction))));
    default:
      return listed(
        sources.flatMap((source) => findingsOf(operation, source)),
        operation,
      );
  }
}

export function findingsOf(operation: Operation, source: Source): readonly Finding[] {
  if (operation === "decisions") return findDecisions(source);
  if (operation === "tasks") return findTasks(source);
  if (operation === "links" || operation === "emails" || operation === "dates")
    return findReferences(source, operation);
  if (operation === "headings") return findHeadings(source);
  if (operation === "terms") return findTerms([source], 40).map(({ text }) => ({ text, source: source.name }));
  return summarize(source, { sentenceCount: 3, charCount: 1_500 });
}

function listed(findings: readonly Finding[], what: string): string {
  return findings.length === 0 ? labelled("", `No ${what} found.`) : labelled(sections(findings));
}

/** "in at most 2 sentences", "in three sentences"; three by default. */
function boundsOf(instruction: string): { sentenceCount: number; charCount: number } {
  const words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
  const said =
    /\b(\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)\s+(?:\w+\s+)?(?:sentences?|bullets?|bullet points|points|lines)\b/i.exec(
      instruction,
    )?.[1];
  const count = said === undefined ? 3 : /\d/.test(said) ? Number(said) : words.indexOf(said.toLowerCase());
  return { sentenceCount: Math.min(30, Math.max(1, count)), charCount: 500 * Math.max(1, count) };
}

function summaries(
  sources: readonly Source[],
  bounds: { sentenceCount: number; charCount: number },
): readonly Finding[] {
  return sources.flatMap((source) => summarize(source, bounds));
}

function comparison(sources: readonly Source[]): string {
  const [first, second] = sources;
  if (first === undefined || second === undefined) throw cannotAnswer("a comparison needs two texts.");
  const { onlyInFirst, onlyInSecond, sharedCount } = compareTexts(first.text, second.text);
  const side = (name: string, lines: readonly string[]): string =>
    `### ${name}\n\n${lines.length} lines stand only here.${lines.length === 0 ? "" : `\n\n${bullets(lines.slice(0, 100).map((text) => ({ text, source: name })))}`}`;
  return labelled(
    `${sharedCount} lines stand in both.\n\n${side(first.name, onlyInFirst)}\n\n${side(second.name, onlyInSecond)}`,
  );
}

function counts(sources: readonly Source[], values: Workload["values"]): string {
  const counted = values.filter(
    (value): value is TextFigures => typeof (value as Partial<TextFigures> | null)?.wordCount === "number",
  );
  const rows = counted.length > 0 ? counted : sources.map(countText);
  const sum = (key: "wordCount" | "lineCount" | "characterCount"): number =>
    rows.reduce((total, row) => total + row[key], 0);
  return labelled(
    table(
      ["file", "words", "lines", "characters"],
      [
        ...rows.map((row) => [row.source, row.wordCount, row.lineCount, row.characterCount]),
        ["total", sum("wordCount"), sum("lineCount"), sum("characterCount")],
      ],
    ),
  );
}

function ranking(instruction: string, values: Workload["values"]): string {
  const files = values.flatMap(filesIn);
  if (files.length === 0) throw cannotAnswer("there is no list of files with sizes or times.");
  const order: FileOrder = /\bsmallest\b/i.test(instruction)
    ? "smallest"
    : /\boldest\b/i.test(instruction)
      ? "oldest"
      : /\b(?:newest|latest|recent(?:ly)?)\b/i.test(instruction)
        ? "newest"
        : "largest";
  const count = Number(/\b(\d{1,3})\b/.exec(instruction)?.[1] ?? 10);
  const rows = rankFiles(files, order).slice(0, count);
  return labelled(
    table(
      ["file", "bytes", "modified"],
      rows.map((file) => [file.path, file.sizeBytes, file.modifiedAt ?? ""]),
    ),
  );
}

const hasHeading = (source: Source): boolean => findHeadings(source).length > 0;

function contents(source: Source): string {
  const headings = findHeadings(source);
  if (headings.length === 0) return "";
  const lines = headings.map(({ text, level }) => `${"  ".repeat(level - 1)}- ${text}`).join("\n");
  return source.name === "" ? lines : `### ${source.name}\n\n${lines}`;
}

function termIndex(sources: readonly Source[]): string {
  // One text has no "where": its terms are points, which a report turns into the index over many.
  const [only, ...others] = sources;
  if (only !== undefined && others.length === 0) return listed(findingsOf("terms", only), "terms");
  const terms = findTerms(sources, 80);
  if (terms.length === 0) return labelled("", "No terms found.");
  return labelled(
    table(
      ["term", "occurrences", "in"],
      terms.map((term) => [term.text, term.occurrenceCount, term.sources.join(", ")]),
    ),
  );
}
