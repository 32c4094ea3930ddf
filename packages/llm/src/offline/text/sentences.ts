/**
 * Sentences of a text, each with its place: `source.slice(start, end) === text`.
 *
 * A sentence ends at . ! ? … (Latin, Cyrillic, Greek, Arabic, Devanagari marks) before white space, or
 * at 。！？ without any; not after an abbreviation, an initial, a number before a lower-case word or a month,
 * nor inside inline code. A list item or heading without a mark is one sentence.
 */
import { type Block, type BlockKind, blocksOf } from "./blocks.ts";

export interface Sentence {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly kind: BlockKind;
  readonly path: readonly string[];
  /** Position of its block among the blocks. */
  readonly block: number;
}

const abbreviations = new Set(
  (
    "e.g i.e etc vs cf al dr mr mrs ms prof sr sra srta st no nos fig figs approx dept inc ltd jr co corp op ed eds vol p pp ch sec eq " +
    "z.b bzw d.h usw ca nr abb s.o s.u u.a o.ä evtl ggf vgl inkl zzgl bzgl str tel " +
    "p.ex av env art chap m mm mme mlle ej pág núm ud uds ee.uu jan feb mar apr jun jul aug sep sept oct okt nov dec dez"
  ).split(" "),
);
const months =
  /^(jan|feb|mär|mar|apr|mai|may|jun|jul|aug|sep|okt|oct|nov|dez|dec|janv|févr|avr|juil|août|ene|abr|ago|dic)/i;
const spaced = /[.!?…؟۔।]+["'”’»)\]*_]*(?=\s|$)/gu;
const unspaced = /[。！？｡]+[」』”）]*/gu;

export function sentencesOf(source: string, blocks: readonly Block[] = blocksOf(source)): readonly Sentence[] {
  return blocks.flatMap((block, index) => (block.kind === "matter" ? [] : sentencesIn(source, block, index)));
}

function sentencesIn(source: string, block: Block, index: number): Sentence[] {
  const parts = block.kind === "row" ? [...(block.cells ?? [])] : [block];
  return parts.flatMap(({ start, end }) =>
    spansIn(source.slice(start, end)).map(([from, to]) => ({
      text: source.slice(start + from, start + to),
      start: start + from,
      end: start + to,
      kind: block.kind,
      path: block.path,
      block: index,
    })),
  );
}

/** Sentence places inside one block's text. */
function spansIn(text: string): readonly (readonly [number, number])[] {
  const isCode = codeReader(text);
  const ends = [...text.matchAll(spaced)]
    .filter((match) => !isCode(match.index) && isEnd(text, match.index))
    .map((match) => match.index + match[0].length);
  for (const match of text.matchAll(unspaced)) ends.push(match.index + match[0].length);
  ends.push(text.length);
  ends.sort((a, b) => a - b);
  const spans: [number, number][] = [];
  let from = 0;
  for (const end of ends) {
    const part = text.slice(from, end);
    const lead = part.length - part.trimStart().length;
    const trimmed = part.trim();
    if (trimmed !== "") spans.push([from + lead, from + lead + trimmed.length]);
    from = end;
  }
  return spans;
}

function isEnd(text: string, at: number): boolean {
  if (text[at] !== ".") return true;
  const word = /[\p{L}\p{N}.]*$/u.exec(text.slice(Math.max(0, at - 20), at))?.[0] ?? "";
  const next = /^[.!?"'”’»)\]*_]*\s+(\S+)/u.exec(text.slice(at, at + 200))?.[1] ?? "";
  if (abbreviations.has(word.toLowerCase()) && next !== "") return /^(etc|usw)$/i.test(word) && /^\p{Lu}/u.test(next);
  if (/^\p{Lu}$/u.test(word) || /^(\p{Lu}\.)+\p{Lu}$/u.test(word)) return next === "";
  if (/^\d+$/.test(word) && months.test(next)) return false;
  return !/^\p{Ll}/u.test(next) || /[!?]/.test(text.slice(at, at + 3));
}

/** Whether a place is between two backticks; asked from the text's beginning to its end. */
function codeReader(text: string): (at: number) => boolean {
  const ticks = [...text.matchAll(/`/g)].map((match) => match.index);
  let passed = 0;
  return (at) => {
    while (passed < ticks.length && (ticks[passed] as number) < at) passed += 1;
    return passed % 2 === 1 && passed < ticks.length;
  };
}
