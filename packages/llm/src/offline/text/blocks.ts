/**
 * A text as blocks with their places: what is prose, what is a heading, a list item, a table row.
 *
 * Purpose: find where sentences can stand, in Markdown, HTML and plain text. Boundary: reads lines
 * only; no rendering.
 *
 * 1. `source.slice(start, end)` is the block's content without its marker, so that everything taken
 *    from a block stands verbatim in the source.
 * 2. Code, comments, scripts and front matter are no prose; front matter is kept for what it says
 *    about a document's state.
 */
export type BlockKind = "paragraph" | "item" | "heading" | "row" | "matter";

export interface Block {
  readonly kind: BlockKind;
  readonly start: number;
  readonly end: number;
  /** The headings above it, outermost first. */
  readonly path: readonly string[];
  /** Of a heading, from 1. */
  readonly level?: number;
  /** Of a row: its cells' places, and the header row's texts. */
  readonly cells?: readonly { readonly start: number; readonly end: number }[];
  readonly columns?: readonly string[];
}

interface Line {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const fence = /^\s{0,3}(```|~~~)/;
const heading = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const item = /^(\s*(?:>\s?)*)(?:[-*+•]|\d{1,4}[.)])\s+(?:\[[ xX]\]\s+)?/;
const quote = /^\s{0,3}(?:>\s?)+/;
const tableRule = /^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$/;
const rule = /^\s*([-*_]\s*){3,}$/;
const comment = /^\s*<!--/;

export function blocksOf(source: string): readonly Block[] {
  return looksLikeHtml(source) ? htmlBlocks(source) : new BlockReader(source).read();
}

function linesOf(source: string): readonly Line[] {
  const lines: Line[] = [];
  for (const match of source.matchAll(/[^\n]*(?:\n|$)/g)) {
    if (match[0] === "") break;
    const text = match[0].replace(/\r?\n$/, "");
    lines.push({ text, start: match.index, end: match.index + text.length });
  }
  return lines;
}

class BlockReader {
  readonly #lines: readonly Line[];
  readonly #blocks: Block[] = [];
  readonly #path: { level: number; text: string }[] = [];
  #open: { kind: "paragraph" | "item"; start: number; end: number } | undefined;
  #columns: readonly string[] | undefined;

  constructor(source: string) {
    this.#lines = linesOf(source);
  }

  read(): readonly Block[] {
    let at = this.#frontMatter();
    while (at < this.#lines.length) at = this.#line(at);
    this.#close();
    return this.#blocks;
  }

  #frontMatter(): number {
    if (this.#lines[0]?.text.trim() !== "---") return 0;
    const end = this.#lines.findIndex((line, index) => index > 0 && line.text.trim() === "---");
    if (end < 2 || end > 60) return 0;
    for (const line of this.#lines.slice(1, end)) this.#push("matter", line.start, line.end);
    return end + 1;
  }

  #line(at: number): number {
    const line = this.#lines[at] as Line;
    const opening = fence.exec(line.text);
    if (opening !== null) return this.#skipTo(at, (text) => text.trim().startsWith(opening[1] as string));
    if (comment.test(line.text)) {
      return line.text.includes("-->") ? this.#skip(at) : this.#skipTo(at, (text) => text.includes("-->"));
    }
    const head = heading.exec(line.text) ?? this.#underlined(at);
    if (head !== null) return this.#heading(at, head);
    if (line.text.trim() === "" || rule.test(line.text)) return this.#skip(at);
    if (this.#isRow(at)) return this.#row(at);
    const marker = item.exec(line.text) ?? null;
    if (marker !== null) {
      this.#close();
      this.#open = { kind: "item", start: line.start + marker[0].length, end: line.end };
      return at + 1;
    }
    if (this.#open === undefined) {
      const indent = (quote.exec(line.text) ?? /^\s*/.exec(line.text))?.[0].length ?? 0;
      this.#open = { kind: "paragraph", start: line.start + indent, end: line.end };
    } else {
      this.#open.end = line.end;
    }
    return at + 1;
  }

  #skip(at: number): number {
    this.#close();
    this.#columns = undefined;
    return at + 1;
  }

  #skipTo(at: number, isEnd: (text: string) => boolean): number {
    this.#close();
    let end = at + 1;
    while (end < this.#lines.length && !isEnd((this.#lines[end] as Line).text)) end += 1;
    return end + 1;
  }

  /** A heading underlined with === or ---. */
  #underlined(at: number): RegExpExecArray | null {
    const line = this.#lines[at] as Line;
    const next = this.#lines[at + 1]?.text ?? "";
    if (this.#open !== undefined || line.text.trim() === "" || line.text.includes("|")) return null;
    const level = /^\s{0,3}={3,}\s*$/.test(next) ? "#" : /^\s{0,3}-{3,}\s*$/.test(next) ? "##" : undefined;
    return level === undefined ? null : heading.exec(`${level} ${line.text}`);
  }

  #heading(at: number, match: RegExpExecArray): number {
    this.#close();
    const line = this.#lines[at] as Line;
    const level = (match[1] as string).length;
    const text = (match[2] as string).trim();
    const start = line.start + line.text.indexOf(text);
    while ((this.#path.at(-1)?.level ?? 0) >= level) this.#path.pop();
    this.#blocks.push({
      kind: "heading",
      start,
      end: start + text.length,
      path: this.#path.map((each) => each.text),
      level,
    });
    this.#path.push({ level, text });
    this.#columns = undefined;
    return heading.test(line.text) ? at + 1 : at + 2;
  }

  #isRow(at: number): boolean {
    const text = (this.#lines[at] as Line).text;
    if (!text.includes("|")) return false;
    return this.#columns !== undefined || tableRule.test(this.#lines[at + 1]?.text ?? "") || tableRule.test(text);
  }

  #row(at: number): number {
    this.#close();
    const line = this.#lines[at] as Line;
    const cells = cellsOf(line);
    if (tableRule.test(this.#lines[at + 1]?.text ?? "") && (this.#lines[at + 1]?.text ?? "").includes("-")) {
      this.#columns = cells.map(({ start, end }) => line.text.slice(start - line.start, end - line.start));
      return at + 2;
    }
    if (!tableRule.test(line.text)) {
      this.#blocks.push({
        kind: "row",
        start: line.start,
        end: line.end,
        path: this.#headings(),
        cells,
        columns: this.#columns ?? [],
      });
    }
    if (!(this.#lines[at + 1]?.text ?? "").includes("|")) this.#columns = undefined;
    return at + 1;
  }

  #headings(): readonly string[] {
    return this.#path.map((each) => each.text);
  }

  #push(kind: BlockKind, start: number, end: number): void {
    this.#blocks.push({ kind, start, end, path: this.#headings() });
  }

  #close(): void {
    if (this.#open !== undefined) this.#push(this.#open.kind, this.#open.start, this.#open.end);
    this.#open = undefined;
  }
}

function cellsOf(line: Line): { start: number; end: number }[] {
  const cells: { start: number; end: number }[] = [];
  let from = 0;
  for (const part of line.text.split(/(?<!\\)\|/)) {
    const lead = part.length - part.trimStart().length;
    if (part.trim() !== "" || (from > 0 && from + part.length < line.text.length)) {
      cells.push({ start: line.start + from + lead, end: line.start + from + lead + part.trim().length });
    }
    from += part.length + 1;
  }
  return cells;
}

const looksLikeHtml = (source: string): boolean => /^\s*(<!doctype html|<html[\s>])/i.test(source);

const htmlHidden = /<(script|style|head|nav|template|pre)\b|<!--/gi;
const htmlBlock =
  /<\/?(?:p|div|section|article|main|header|footer|ul|ol|li|h[1-6]|table|tr|td|th|br|hr|body|html|blockquote|form)\b[^<>]*>/gi;

/** Text between block tags; inline tags stay inside it, since what is taken stands verbatim in the source. */
function htmlBlocks(source: string): readonly Block[] {
  const blank = (match: string): string => "\u0000".repeat(match.length);
  const masked = withoutHidden(source).replace(htmlBlock, blank);
  const blocks: Block[] = [];
  for (const match of masked.matchAll(/[^\u0000]+/g)) {
    const lead = match[0].length - match[0].trimStart().length;
    const text = match[0].trim();
    if (text === "") continue;
    const start = match.index + lead;
    const level = /<h([1-6])\b[^>]*>$/i.exec(source.slice(Math.max(0, match.index - 200), match.index))?.[1];
    const kind = level === undefined ? "paragraph" : "heading";
    blocks.push({
      kind,
      start,
      end: start + text.length,
      path: [],
      ...(level === undefined ? {} : { level: Number(level) }),
    });
  }
  return blocks;
}

/** Hidden elements as NULs, up to their end tag or the text's end: one pass, whatever is left open. */
function withoutHidden(source: string): string {
  const lower = source.toLowerCase();
  let kept = "";
  let from = 0;
  for (const match of source.matchAll(htmlHidden)) {
    if (match.index < from) continue;
    const close = match[1] === undefined ? "-->" : `</${match[1].toLowerCase()}`;
    const found = lower.indexOf(close, match.index + match[0].length);
    const end = found < 0 ? source.length : Math.max(source.indexOf(">", found) + 1, found + close.length);
    kept += source.slice(from, match.index) + "\u0000".repeat(end - match.index);
    from = end;
  }
  return kept + source.slice(from);
}
