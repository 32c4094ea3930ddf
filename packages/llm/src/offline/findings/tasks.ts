/** Open work that a text names: TODO and FIXME marks, unticked boxes, action items and their owners. */
import type { Source } from "../material.ts";
import { blocksOf } from "../text/blocks.ts";
import { sentencesOf } from "../text/sentences.ts";
import type { Finding } from "./finding.ts";

const mark = /\b(?:TODO|FIXME|XXX|HACK)\b/;
const label =
  /^\W*(?:to-?do|action(?: item)?s?|next steps?|follow-?ups?|owner|offen|aufgabe)\b[^:：\n]{0,30}[:：]\W*\S/i;
const heading =
  /^\W*(?:[\d.]+\s*)?(?:open |remaining |next )?(?:to-?dos?|action items?|actions|next steps?|open (?:points|tasks|work)|tasks|follow-?ups?|aufgaben|nächste schritte)\W*$/i;
const unticked = /^\s*(?:[-*+]|\d+[.)])\s+\[ \]\s+(.+)$/;
const ticked = /^\s*(?:[-*+]|\d+[.)])\s+\[[xX]\]\s/;

export function findTasks(source: Source): readonly Finding[] {
  const places = new Map<number, string>();
  const add = (start: number, text: string): void => {
    const covered = [...places].some(([from, known]) => start >= from && start < from + known.length);
    if (text !== "" && !covered) places.set(start, text);
  };
  for (const line of source.text.matchAll(/[^\n]+/g)) {
    const box = unticked.exec(line[0])?.[1];
    if (box !== undefined) add(line.index + line[0].indexOf(box), box.trim());
    else if (mark.test(line[0]) && !ticked.test(line[0])) {
      const lead = /^\s*(?:(?:[-*+>]|\d+[.)])\s+)*/.exec(line[0])?.[0].length ?? 0;
      add(line.index + lead, line[0].slice(lead).trim());
    }
  }
  const blocks = blocksOf(source.text);
  for (const sentence of sentencesOf(source.text, blocks)) {
    const line = source.text.slice(source.text.lastIndexOf("\n", sentence.start) + 1, sentence.end);
    if (ticked.test(line) || sentence.kind === "heading") continue;
    const listed = sentence.kind === "item" && heading.test(sentence.path.at(-1) ?? "");
    if (listed || label.test(sentence.text)) add(sentence.start, sentence.text);
  }
  return [...places].sort(([a], [b]) => a - b).map(([, text]) => ({ text, source: source.name }));
}
