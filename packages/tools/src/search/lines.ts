/** One line that matched; `line` counts from 1. */
export interface LineMatch {
  readonly line: number;
  readonly text: string;
}

const maxLineLength = 2_000;

/** Erasable and free of imports: the worker thread of `matcher.ts` runs it too. */
export function matchLines(pattern: RegExp, text: string, max: number): LineMatch[] {
  const matches: LineMatch[] = [];
  let number = 0;
  for (const line of text.split(/\r\n|\n|\r/)) {
    number++;
    if (!pattern.test(line)) continue;
    matches.push({ line: number, text: shortened(line) });
    if (matches.length >= max) break;
  }
  return matches;
}

function shortened(line: string): string {
  return line.length <= maxLineLength ? line : `${line.slice(0, maxLineLength).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
