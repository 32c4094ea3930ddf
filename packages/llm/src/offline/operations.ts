/**
 * Which operation an instruction asks for. First match wins; what matches nothing that this model can
 * do is refused by the caller.
 */
export const operations = [
  "report",
  "merge",
  "decisions",
  "tasks",
  "compare",
  "count",
  "rank",
  "headings",
  "links",
  "emails",
  "dates",
  "terms",
  "summarize",
] as const;
/** Operations that find pieces of one text, and so can fill a property. */
export const finders = [
  "decisions",
  "tasks",
  "headings",
  "links",
  "emails",
  "dates",
  "terms",
  "summarize",
] as const satisfies readonly Operation[];
export type Operation = (typeof operations)[number];

const words: Readonly<Record<Operation, RegExp>> = {
  report: /\b(?:write|compose|create|produce|build|draft|make)\b[^.]{0,40}\breport\b|^\W*report\b|\bbericht\b/i,
  merge: /\b(?:merge|concatenate|concat|combine|join)\b/i,
  decisions: /\b(?:decisions?|decided|entscheidung(?:en)?|beschlüsse|décisions?|decisiones)\b|决定|決定/i,
  tasks: /\b(?:to-?dos?|fixmes?|action items?|open (?:tasks|points)|next steps|aufgaben)\b/i,
  compare: /\b(?:compare|comparison|differ(?:ences?|s)?|diff|vergleiche?)\b/i,
  count: /\b(?:count|how many)\b/i,
  rank: /\b(?:largest|biggest|smallest|newest|latest|oldest|most recent(?:ly)?)\b/i,
  headings: /\b(?:table of contents|toc|headings?|outline|inhaltsverzeichnis)\b/i,
  links: /\b(?:links?|urls?|hyperlinks?|web ?addresses)\b/i,
  emails: /\b(?:e-?mail(?: address(?:es)?|s)?|mail addresses)\b/i,
  dates: /\bdates?\b|\bdeadlines?\b/i,
  terms: /\b(?:glossary|index of (?:the )?terms|key ?(?:terms|words)|terms|terminology|glossar)\b/i,
  summarize:
    /\b(?:summar(?:y|ies|i[sz]e[sd]?|i[sz]ing)|tl;?dr|gist|key points|main points|overview|condense|shorten|extract|abstract|zusammenfass\w*|fasse\b.*\bzusammen|résum\w*|resum\w*)|总结|摘要|要約/i,
};

export const asksFor = (operation: Operation, instruction: string): boolean => words[operation].test(instruction);

export function operationOf(instruction: string): Operation | undefined {
  return operations.find((operation) => asksFor(operation, instruction));
}

/** What needs a language model: new text, other languages, judgement. Words that also name things (design, score) are not here. */
export const needsLanguageModel =
  /\b(?:translate|translating|translation of|übersetze?|traduis|rewrite|rephrase|paraphrase|poem|essay|invent|brainstorm|recommend|suggest|advise|generate (?:code|an? )|write (?:code|a function|a program|a script|an? (?:email|letter|blog|article|poem|story|essay|test))|refactor|debug|fix the|solve|predict|classify)\b/i;
