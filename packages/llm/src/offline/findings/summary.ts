/**
 * The sentences that say most about a text, in the text's order.
 *
 * Score: mean weight of a sentence's terms (how often they occur in the text, headings counted
 * three times), more for a first sentence of a paragraph and for the text's beginning, less for very
 * short and very long ones. A sentence that mostly repeats a chosen one is passed over. No chance.
 */
import type { Source } from "../material.ts";
import { blocksOf } from "../text/blocks.ts";
import { type Sentence, sentencesOf } from "../text/sentences.ts";
import { termsOf } from "../text/words.ts";
import type { Finding } from "./finding.ts";

export interface SummaryBounds {
  readonly sentenceCount: number;
  readonly charCount: number;
}

export function summarize(source: Source, bounds: SummaryBounds): readonly Finding[] {
  const blocks = blocksOf(source.text);
  const all = sentencesOf(source.text, blocks);
  const prose = all.filter(isProse);
  const candidates = prose.length > 0 ? prose : all.filter(({ kind }) => kind !== "row");
  const weights = termWeights(all);
  const ranked = candidates
    .map((sentence, place) => ({
      sentence,
      terms: new Set(meaningOf(sentence.text)),
      score: scoreOf(sentence, place, candidates, weights),
    }))
    .sort((a, b) => b.score - a.score || a.sentence.start - b.sentence.start);
  const chosen: typeof ranked = [];
  let chars = 0;
  for (const candidate of ranked) {
    if (chosen.length === bounds.sentenceCount) break;
    if (chars + candidate.sentence.text.length > bounds.charCount) continue;
    if (chosen.some((other) => overlap(other.terms, candidate.terms) > 0.6)) continue;
    chosen.push(candidate);
    chars += candidate.sentence.text.length;
  }
  return chosen
    .map(({ sentence }) => sentence)
    .sort((a, b) => a.start - b.start)
    .map(({ text }) => ({ text, source: source.name }));
}

/** An address says little about what a sentence means. */
const meaningOf = (text: string): readonly string[] => termsOf(text.replace(/\bhttps?:\/\/\S+/g, " "));

/** A statement: long enough, no lead-in to a list, more letters than marks. */
function isProse({ text, kind }: Sentence): boolean {
  if (kind === "heading" || kind === "row" || /[:：]$/.test(text) || text.length > 800) return false;
  if (/^\*\*[^*]*\*\*$/.test(text)) return false;
  const letters = text.match(/[\p{L}\p{N}\s]/gu)?.length ?? 0;
  return meaningOf(text).length >= 3 && letters / text.length > 0.7;
}

function termWeights(sentences: readonly Sentence[]): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const { text, kind } of sentences) {
    for (const term of meaningOf(text)) weights.set(term, (weights.get(term) ?? 0) + (kind === "heading" ? 3 : 1));
  }
  return weights;
}

function scoreOf(
  sentence: Sentence,
  place: number,
  all: readonly Sentence[],
  weights: ReadonlyMap<string, number>,
): number {
  const terms = [...new Set(meaningOf(sentence.text))];
  const mean = terms.reduce((sum, term) => sum + Math.log1p(weights.get(term) ?? 0), 0) / Math.max(terms.length, 6);
  const opensBlock = all[place - 1]?.block !== sentence.block;
  const early = place === 0 ? 0.6 : place < 3 ? 0.2 : 0;
  const length = sentence.text.length < 40 || sentence.text.length > 350 ? -0.3 : 0;
  // Out of its place it would say the opposite, or point at nothing.
  const turned = /\b(?:rejected|alternatives?|not chosen|non-goals?|verworfen)\b/i.test(sentence.path.at(-1) ?? "")
    ? -1
    : 0;
  const pointing = /^\W*(?:this|that|these|those|it|they|he|she|such|here|there|but|and|so|then)\b/i.test(sentence.text)
    ? -0.25
    : 0;
  return mean + turned + pointing + (opensBlock ? 0.25 : 0) + early + length + (sentence.kind === "item" ? -0.1 : 0);
}

function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const shared = [...a].filter((term) => b.has(term)).length;
  return shared / Math.max(1, Math.min(a.size, b.size));
}
