/**
 * What the offline model works on: named texts, taken out of a request.
 *
 * Texts come as material, as `<source name="…">…</source>` inside the instruction, or below the
 * instruction itself. Outputs of earlier steps come as JSON or as `key: value` lines with the text raw
 * between them; each text keeps its own name (`path`, `url`, `source` or `name`).
 *
 * 1. A text is never changed: what is quoted from it stands verbatim in what was handed over.
 */
import type { Material } from "@baton/core/ports";
import { offlineLabel } from "./label.ts";

export interface Source {
  readonly name: string;
  readonly text: string;
  /** The step it comes from: the material's name without `[index]`. */
  readonly origin: string;
}

export interface Workload {
  /** The instruction without the texts inside it. */
  readonly instruction: string;
  readonly sources: readonly Source[];
  /** The steps that any material came from, those that found nothing included. */
  readonly origins: ReadonlySet<string>;
  /** JSON values of the material, for operations on figures rather than on text. */
  readonly values: readonly unknown[];
}

const sourceTag = /<source name="([^"\n]*)">\n?([\s\S]*?)\n?<\/source>/g;

export function workloadOf(instruction: string, material: readonly Material[]): Workload {
  const inside = [...instruction.matchAll(sourceTag)].map(([, name = "", text = ""]) => ({ name, text, origin: "" }));
  const bare = instruction.replace(sourceTag, "").trim();
  const given = inside.length === 0 && material.length === 0 ? givenText(bare) : undefined;
  const values: unknown[] = [];
  const origins = new Set<string>();
  const sources: Source[] = [...inside, ...(given === undefined ? [] : [{ name: "", text: given.text, origin: "" }])];
  for (const { name, text } of material) {
    const origin = name.replace(/\[\d+\]$/, "");
    origins.add(origin);
    const value = jsonOf(text);
    if (value !== undefined) values.push(value);
    const found = value === undefined ? [linedText(name, text)] : textsIn(value, name);
    sources.push(...found.flatMap((each) => ownSections({ ...each, origin })));
  }
  return { instruction: given?.instruction ?? bare, sources: distinct(sources), origins, values };
}

/** "Summarise this: …", or an instruction with a text of at least `minChars` below an empty line. */
export function givenText(
  message: string,
  minChars = 40,
): { readonly instruction: string; readonly text: string } | undefined {
  const match = /^([^\n]{3,300}?):\s+([\s\S]+)$/.exec(message) ?? /^([^\n]{3,300})\n\s*\n([\s\S]+)$/.exec(message);
  const [, instruction, text] = match ?? [];
  if (instruction === undefined || text === undefined || text.trim().length < minChars) return undefined;
  return { instruction, text: text.trim() };
}

function jsonOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface NamedText {
  readonly name: string;
  readonly text: string;
}

const namesItself = /^(?:path|url|source|name): ?(.+)$/;
const beforeText = /^(?:(?:path|url|name|source|status|sizeBytes|truncated|index):|headers:|\s{2})/;
const metaLine = /^(?:sizeBytes: \d+$|truncated: (?:true|false)$|status: \d{3}$|(?:warnings|headers):)/;
const insideMeta = /^(?:\s{2}[\w-]+\.?: ?|\s*$)/;

/** `path: a.md⏎text:⏎…⏎sizeBytes: 3`: a step's output as lines, its text raw in the middle. */
function linedText(name: string, text: string): NamedText {
  const lines = text.split("\n");
  const at = lines.findIndex((line) => !beforeText.test(line));
  const opening = /^text:(?: (.*))?$/.exec(lines[at] ?? "");
  if (opening === null) return { name, text };
  const own = lines
    .slice(0, at)
    .map((line) => namesItself.exec(line)?.[1])
    .find((each) => each !== undefined);
  if (opening[1] !== undefined) return { name: own ?? name, text: opening[1] };
  let end = lines.length;
  const tail = lines.findLastIndex((line) => !metaLine.test(line) && !insideMeta.test(line)) + 1;
  const meta = lines.findIndex((line, index) => index >= tail && metaLine.test(line));
  if (meta > at) end = meta;
  while (end > at + 1 && lines[end - 1] === "") end -= 1;
  return { name: own ?? name, text: lines.slice(at + 1, end).join("\n") };
}

function textsIn(value: unknown, name: string): NamedText[] {
  if (typeof value === "string") return [{ name, text: value }];
  if (Array.isArray(value)) return value.flatMap((each) => textsIn(each, name));
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Record<string, unknown>;
  const named = [fields["path"], fields["url"], fields["source"], fields["name"]].find(
    (each) => typeof each === "string" && each !== "",
  );
  const own = typeof named === "string" ? named : name;
  const text = fields["text"] ?? fields["content"] ?? fields["summary"];
  if (typeof text === "string") return [{ name: own, text }];
  return Object.values(fields).flatMap((each) => (typeof each === "object" ? textsIn(each, own) : []));
}

/** An answer of this model is taken apart into the sources it quotes. */
function ownSections(source: Source): Source[] {
  if (!source.text.includes(offlineLabel)) return [source];
  const [lead = "", ...rest] = source.text.split(/^### (.+)$/m);
  const own = lead.replace(new RegExp(`^.*${offlineLabel.replace(/[[\]]/g, "\\$&")}.*$`, "gm"), "").trim();
  const sections = own === "" ? [] : [{ ...source, text: own }];
  for (let at = 0; at + 1 < rest.length; at += 2)
    sections.push({ ...source, name: rest[at] as string, text: (rest[at + 1] as string).trim() });
  return sections.filter(({ text }) => text !== "");
}

function distinct(sources: readonly Source[]): readonly Source[] {
  return [...new Map(sources.map((source) => [`${source.origin}\n${source.name}\n${source.text}`, source])).values()];
}
