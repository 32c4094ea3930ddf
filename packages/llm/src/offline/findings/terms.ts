/**
 * Terms of a set of texts, with where they occur: capitalised names, abbreviations, `code` words,
 * and what a text defines ("**term**: …"). Weighted by how often and in how many texts.
 */
import type { Source } from "../material.ts";

export interface Term {
  readonly text: string;
  readonly occurrenceCount: number;
  readonly sources: readonly string[];
}

const candidates: readonly RegExp[] = [
  /`([^`\n]{2,40})`/g,
  /\*\*([^*\n]{2,40}?)\*\*/g,
  /\b([A-Z]{2,10}s?)\b/g,
  /(?<=[\p{Ll},;:)] )(\p{Lu}[\p{L}\p{N}]{2,}(?: \p{Lu}[\p{L}\p{N}]{2,}){0,2})/gu,
];

export function findTerms(sources: readonly Source[], max: number): readonly Term[] {
  const found = new Map<string, { count: number; sources: Set<string> }>();
  for (const { name, text } of sources) {
    for (const pattern of candidates) {
      for (const match of text.matchAll(pattern)) {
        const term = (match[1] as string).trim();
        const entry = found.get(term) ?? { count: 0, sources: new Set<string>() };
        entry.count += 1;
        entry.sources.add(name);
        found.set(term, entry);
      }
    }
  }
  return [...found]
    .map(([text, { count, sources: names }]) => ({ text, occurrenceCount: count, sources: [...names] }))
    .sort(
      (a, b) =>
        b.sources.length - a.sources.length || b.occurrenceCount - a.occurrenceCount || (a.text < b.text ? -1 : 1),
    )
    .slice(0, max)
    .sort((a, b) => (a.text.toLowerCase() < b.text.toLowerCase() ? -1 : 1));
}
