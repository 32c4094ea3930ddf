/** Addresses and dates that stand in a text, each once per source, in order. */
import type { Source } from "../material.ts";
import type { Finding } from "./finding.ts";

const monthNames =
  "(?:Jan(?:uary|uar)?|Feb(?:ruary|ruar)?|Mar(?:ch)?|März|Apr(?:il)?|May|Mai|June?|Juni|July?|Juli|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Oktober|Nov(?:ember)?|Dec(?:ember)?|Dezember)";

const patterns = {
  links: /\bhttps?:\/\/[^\s<>"'`)\]}|\\]*[^\s<>"'`)\]}|\\.,;:!?]/g,
  emails: /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24}/gu,
  dates: new RegExp(
    `\\b\\d{4}-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}(?::\\d{2})?(?:\\.\\d+)?(?:Z|[+-]\\d{2}:?\\d{2})?)?\\b|\\b\\d{1,2}[./]\\d{1,2}[./]\\d{4}\\b|\\b${monthNames}\\.? \\d{1,2}(?:st|nd|rd|th)?,? \\d{4}\\b|\\b\\d{1,2}\\.? ${monthNames}\\.? \\d{4}\\b|\\d{4}年\\d{1,2}月\\d{1,2}日`,
    "g",
  ),
} as const;

export type ReferenceKind = keyof typeof patterns;

export function findReferences(source: Source, kind: ReferenceKind): readonly Finding[] {
  const texts = new Set([...source.text.matchAll(patterns[kind])].map(([text]) => text));
  return [...texts].map((text) => ({ text, source: source.name }));
}
