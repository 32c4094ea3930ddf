/** Sentences that speak about a question's terms. None when too few of its terms occur. */
import type { Source } from "../material.ts";
import { sentencesOf } from "../text/sentences.ts";
import { termsOf } from "../text/words.ts";
import type { Finding } from "./finding.ts";

const stem = (term: string): string => term.replace(/(?:ies|es|s|ed|ing)$/u, "").slice(0, 8);

export function findRelevant(sources: readonly Source[], question: string, max: number): readonly Finding[] {
  const wanted = new Set(termsOf(question).map(stem));
  if (wanted.size === 0) return [];
  const needed = Math.min(2, wanted.size);
  return sources
    .flatMap((source, place) =>
      sentencesOf(source.text)
        .filter(({ kind }) => kind !== "heading")
        .map((sentence) => {
          const own = new Set(termsOf(sentence.text).map(stem));
          const hits = [...wanted].filter((term) => own.has(term)).length;
          return {
            finding: { text: sentence.text, source: source.name },
            hits,
            score: hits / Math.sqrt(8 + own.size),
            place,
            start: sentence.start,
          };
        }),
    )
    .filter(({ hits }) => hits >= needed)
    .sort((a, b) => b.score - a.score || a.place - b.place || a.start - b.start)
    .slice(0, max)
    .map(({ finding }) => finding);
}
