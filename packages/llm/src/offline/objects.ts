/**
 * Fills a JSON Schema from what was found.
 *
 * A property is filled by its name ("decisions", "links", "summary", "source", "wordCount" …), else an
 * array or a text by the operation that the instruction asks for. A required property that nothing
 * fills is `offline-cannot-answer`, naming it; an optional one is left out.
 */
import { countText } from "./findings/figures.ts";
import type { Finding } from "./findings/finding.ts";
import { findHeadings } from "./findings/outline.ts";
import type { Source, Workload } from "./material.ts";
import { asksFor, finders, needsLanguageModel, type Operation, operationOf } from "./operations.ts";
import { answerText, cannotAnswer, findingsOf } from "./reason.ts";

type Schema = Readonly<Record<string, unknown>>;

export function answerObject(schema: Schema, goal: string, workload: Workload): unknown {
  const textOnly = onlyText(schema);
  if (textOnly !== undefined) return { [textOnly]: answerText(goal, workload) };
  if (workload.sources.length === 0) throw cannotAnswer("there is no text to work on.");
  const operation = operationOf(workload.instruction);
  if (needsLanguageModel.test(workload.instruction)) throw cannotAnswer("the instruction asks for judgement.");
  const filled = fill(schema, "", workload, operation ?? "summarize");
  if (filled === undefined) throw cannotAnswer("nothing found fits the output schema.");
  return filled;
}

/** `{text: string}` and its likes ask for the labelled text itself. */
function onlyText(schema: Schema): string | undefined {
  const [entry, ...others] = Object.entries((schema["properties"] ?? {}) as Readonly<Record<string, Schema>>);
  if (entry === undefined || others.length > 0 || entry[1]["type"] !== "string") return undefined;
  return /^(?:text|answer|report|result|content)$/.test(entry[0]) ? entry[0] : undefined;
}

function fill(schema: Schema, name: string, workload: Workload, operation: Operation): unknown {
  if (schema["enum"] !== undefined || schema["const"] !== undefined) return undefined;
  const type =
    [schema["type"]].flat().find((each) => each !== "null") ??
    (schema["properties"] === undefined ? undefined : "object");
  const own = operationNamed(name) ?? operation;
  if (type === "object") return fillObject(schema, workload, own);
  if (type === "array") return fillArray(schema, findAll(workload.sources, own));
  if (type === "string") return fillString(name, workload.sources, own);
  if (type === "integer" || type === "number") return fillNumber(name, workload.sources, own);
  if (type === "boolean")
    return /^(?:has|found|any|contains|exists)/i.test(name) ? findAll(workload.sources, own).length > 0 : undefined;
  return undefined;
}

const spread = (name: string): string => name.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[_-]+/g, " ");

function operationNamed(name: string): Operation | undefined {
  return name === "" ? undefined : finders.find((each) => asksFor(each, spread(name)));
}

const findAll = (sources: readonly Source[], operation: Operation): readonly Finding[] =>
  sources.flatMap((source) => findingsOf(operation, source));

function fillObject(schema: Schema, workload: Workload, operation: Operation): unknown {
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  const required = new Set((schema["required"] ?? []) as readonly string[]);
  const filled: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const value = fill(property, name, workload, operation);
    if (value !== undefined) filled[name] = value;
    else if (required.has(name))
      throw cannotAnswer(`the output's property "${name}" is nothing that can be found in a text.`);
  }
  return filled;
}

const textNames =
  /^(?:text|decision|sentence|statement|quote|title|item|description|summary|task|todo|value|content|name|term|url|link|email|date|heading)$/i;
const sourceNames = /^(?:source|file|path|document|from|in|origin|filename|file_name)$/i;

function fillArray(schema: Schema, findings: readonly Finding[]): unknown {
  const items = (schema["items"] ?? { type: "string" }) as Schema;
  const max = typeof schema["maxItems"] === "number" ? schema["maxItems"] : Number.POSITIVE_INFINITY;
  const kept = findings.slice(0, max);
  if (items["type"] === "string") return kept.map(({ text }) => text);
  if (items["type"] !== "object") return undefined;
  const properties = Object.keys((items["properties"] ?? {}) as object);
  const required = (items["required"] ?? []) as readonly string[];
  const unknown = required.find((name) => !sourceNames.test(name) && !textNames.test(name));
  if (unknown !== undefined)
    throw cannotAnswer(`the output's property "${unknown}" is nothing that can be found in a text.`);
  const textName = properties.find((name) => textNames.test(name) && !sourceNames.test(name));
  return kept.map(({ text, source }) =>
    Object.fromEntries(
      properties.flatMap((name) =>
        name === textName ? [[name, text]] : sourceNames.test(name) ? [[name, source]] : [],
      ),
    ),
  );
}

function fillString(name: string, sources: readonly Source[], operation: Operation): string | undefined {
  if (sourceNames.test(name)) return sources[0]?.name;
  if (/^title$/i.test(name))
    return sources.map((source) => findHeadings(source)[0]?.text).find((text) => text !== undefined);
  if (operationNamed(name) === undefined && !/^(?:text|report|answer|result|content|body|extract|quote)$/i.test(name))
    return undefined;
  return findAll(sources, operation)
    .map(({ text }) => text)
    .join("\n");
}

function fillNumber(name: string, sources: readonly Source[], operation: Operation): number | undefined {
  const figures = sources.map(countText);
  const words = spread(name);
  const sum = (pick: (figure: (typeof figures)[number]) => number): number =>
    figures.reduce((total, figure) => total + pick(figure), 0);
  if (/\bwords?\b/i.test(words)) return sum(({ wordCount }) => wordCount);
  if (/\blines?\b/i.test(words)) return sum(({ lineCount }) => lineCount);
  if (/\bchar/i.test(words)) return sum(({ characterCount }) => characterCount);
  return /\b(?:count|total|number|found)\b/i.test(words) ? findAll(sources, operation).length : undefined;
}
