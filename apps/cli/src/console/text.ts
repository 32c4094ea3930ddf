/**
 * Text for a terminal of a given width.
 *
 * 1. What comes from models and files may hold control characters; none of them reaches the terminal.
 * 2. Width is counted in columns: wide characters take two, combining ones none.
 */
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const wide =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|[\u{20000}-\u{3fffd}]/u;

/** Lines stay lines; everything else that moves a cursor or changes a colour is left out. */
export function printable(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "")
    .replace(control, "");
}

export function oneLine(text: string): string {
  return printable(text).replace(/\s+/g, " ").trim();
}

export function columnsOf(text: string): number {
  let columns = 0;
  for (const { segment } of segments.segment(text)) columns += wide.test(segment) ? 2 : 1;
  return columns;
}

/** Cut at its end when it is too wide, and filled up with spaces when it is not and `pad` says so. */
export function fit(text: string, columns: number, pad = false): string {
  const width = columnsOf(text);
  if (width <= columns) return pad ? text + " ".repeat(columns - width) : text;
  let cut = "";
  let used = 0;
  for (const { segment } of segments.segment(text)) {
    const next = columnsOf(segment);
    if (used + next > columns - 1) break;
    cut += segment;
    used += next;
  }
  return `${cut}…${pad ? " ".repeat(Math.max(0, columns - used - 1)) : ""}`;
}

/** One line as several that fit, every one indented; only a word that is wider than a line is broken. */
export function wrap(text: string, columns: number, indent = ""): string {
  const lines: string[] = [];
  const widest = Math.max(2, columns - columnsOf(indent));
  let line = "";
  for (const word of oneLine(text)
    .split(" ")
    .flatMap((each) => pieces(each, widest))) {
    if (line !== "" && columnsOf(`${indent}${line} ${word}`) > columns) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, indent + line].join("\n");
}

function pieces(word: string, columns: number): string[] {
  const cut = [""];
  let used = 0;
  for (const { segment } of segments.segment(word)) {
    const next = columnsOf(segment);
    if (used + next > columns) {
      cut.push("");
      used = 0;
    }
    cut[cut.length - 1] += segment;
    used += next;
  }
  return cut;
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  const rest = Math.round((ms % 60_000) / 1_000);
  return minutes < 60 ? `${minutes} min ${rest} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(count: number): string {
  if (count < 1_000) return `${count} bytes`;
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)} kB` : `${(count / 1_000_000).toFixed(1)} MB`;
}
