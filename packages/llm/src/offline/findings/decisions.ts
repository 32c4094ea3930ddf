/**
 * Decisions that a text states as made.
 *
 * Found: sentences that say somebody decided, chose, agreed, adopted or rejected something; what
 * stands below a heading such as "Decision" or after such a label; cells of a decision column; the
 * title of a record whose status is accepted. Passed over: questions, conditions, plans to decide,
 * denials ("no decision was made"), and software that "rejects" or "selects" as its normal business.
 */
import type { Source } from "../material.ts";
import { type Block, blocksOf } from "../text/blocks.ts";
import { type Sentence, sentencesOf } from "../text/sentences.ts";
import { deniesDecision, hasDecisionLabel, isDecisionHeading, statesDecision } from "./decision-words.ts";
import type { Finding } from "./finding.ts";

const decisionColumn = /^\W*(decisions?|decided|chosen|choice|entscheidung|beschluss|décision|decisión)\W*$/i;
const statusColumn = /^\W*(status|state)\W*$/i;
const settledStatus =
  /^\W*(accepted|approved|decided|adopted|rejected|agreed|angenommen|beschlossen|accepté|aceptad[oa])\b/i;
const openCell =
  /^\W*(|-+|–|—|n\/?a|none|open|pending|tbd|to be decided|undecided|proposed|deferred|postponed|todo|unknown|\?)\W*$/i;

export function findDecisions(source: Source): readonly Finding[] {
  const blocks = blocksOf(source.text);
  const sentences = sentencesOf(source.text, blocks);
  const places = new Map<number, string>();
  const add = (start: number, text: string): void => {
    if (text.trim() !== "" && !places.has(start)) places.set(start, text);
  };
  for (const sentence of sentences) if (isDecision(sentence)) add(sentence.start, sentence.text);
  for (const [index, block] of blocks.entries()) {
    if (block.kind === "row") for (const cell of rowDecisions(source.text, block)) add(cell.start, cell.text);
    const count = sentencesUnderHeading(blocks, index);
    if (count === 0) continue;
    const own = sentences.filter((sentence) => sentence.block === index).slice(0, count);
    for (const sentence of own) if (statesSomething(sentence.text)) add(sentence.start, sentence.text);
  }
  if (places.size === 0) recordTitle(source.text, blocks, add);
  return [...places].sort(([a], [b]) => a - b).map(([, text]) => ({ text, source: source.name }));
}

function isDecision({ text, kind, path }: Sentence): boolean {
  if (kind === "heading" || kind === "row" || deniesDecision(text)) return false;
  if (path.some((heading) => /\b(open questions?|to be decided|undecided|pending|not decided)\b/i.test(heading)))
    return false;
  return statesDecision(text) || (hasDecisionLabel(text) && statesSomething(text.replace(/^[^:：]*[:：]\W*/, "")));
}

/** Below a decision heading: of the first paragraph three sentences, of every list item the first, of the rest none. */
function sentencesUnderHeading(blocks: readonly Block[], index: number): number {
  const block = blocks[index];
  if (block === undefined || !isDecisionHeading(block.path.at(-1) ?? "")) return 0;
  if (block.kind === "item") return 1;
  // A page titled "Decisions" may be about deciding: below a title only its list counts.
  const above = blocks[index - 1];
  return block.kind === "paragraph" && above?.kind === "heading" && above.level !== 1 ? 3 : 0;
}

/** More than a label or a pointer, and neither a question nor a denial. */
function statesSomething(text: string): boolean {
  return text.length >= 8 && !/[:?？]\W*$/.test(text) && !deniesDecision(text) && !openCell.test(text);
}

function rowDecisions(text: string, block: Block): { start: number; text: string }[] {
  const cells = (block.cells ?? []).map(({ start, end }) => ({ start, text: text.slice(start, end) }));
  const columns = block.columns ?? [];
  const decided = columns.findIndex((column) => decisionColumn.test(column));
  const status = columns.findIndex((column) => statusColumn.test(column));
  const statusText = cells[status]?.text ?? "";
  if (status >= 0 && !settledStatus.test(statusText) && (decided < 0 || openCell.test(statusText))) return [];
  const wanted =
    decided >= 0
      ? cells[decided]
      : status >= 0
        ? cells.find((cell, at) => at !== status && /\p{L}{3}/u.test(cell.text))
        : undefined;
  return wanted === undefined || openCell.test(wanted.text) || deniesDecision(wanted.text) ? [] : [wanted];
}

/** An architecture decision record that only says it was accepted: its title is the decision. */
function recordTitle(text: string, blocks: readonly Block[], add: (start: number, text: string) => void): void {
  const title = blocks.find((block) => block.kind === "heading" && block.level === 1);
  const accepted = blocks.some((block) => {
    const own = text.slice(block.start, block.end);
    const under =
      /^\W*status\W*$/i.test(block.path.at(-1) ?? "") && block.kind !== "heading" && settledStatus.test(own);
    return (
      under ||
      (block.kind !== "heading" &&
        /^\W*status\W*[:：]/i.test(own) &&
        settledStatus.test(own.replace(/^[^:：]*[:：]/, "")))
    );
  });
  if (title !== undefined && accepted) add(title.start, text.slice(title.start, title.end));
}
