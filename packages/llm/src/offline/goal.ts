import { givenText } from "./material.ts";

/** What a goal's words name: files, a folder, a kind of file, an address, a quoted text. */
export interface Goal {
  readonly text: string;
  /** The goal without a text that stands in it. */
  readonly request: string;
  /** The request without addresses, file names, paths and quotations: a folder may be called decisions. */
  readonly words: string;
  /** Named files, without wildcards. */
  readonly files: readonly string[];
  /** What files.list takes; covers what the goal speaks of. */
  readonly pattern: string;
  /** True when the goal speaks of files at all. */
  readonly speaksOfFiles: boolean;
  readonly urls: readonly string[];
  readonly quoted: string | undefined;
  /** A text to work on that stands in the goal itself. */
  readonly given: string | undefined;
}

const url = /\bhttps?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)]/g;
const endings =
  "md|markdown|mdx|txt|rst|adoc|csv|tsv|json|ya?ml|toml|xml|html?|ts|tsx|js|mjs|jsx|py|go|rs|java|c|h|cpp|rb|sh|sql|log";
const fileName = new RegExp(
  `(?<![\\w*/@+.-])(?:\\.{0,2}/)?[\\w@+-][\\w@+./-]{0,300}\\.(?:${endings})(?![\\w/*])`,
  "gi",
);
const glob = /(?<!\S)["'`]?([\w./{},-]*\*[\w./{},*-]*)["'`]?/;
const kinds: readonly (readonly [RegExp, string])[] = [
  [/\bmarkdown\b|\bmd\b/i, "md"],
  [/\btext files?\b|\.?\btxt\b/i, "txt"],
  [/\btypescript\b/i, "ts"],
  [/\bjavascript\b/i, "js"],
  [/\bpython\b/i, "py"],
  [/\bcsv\b/i, "csv"],
  [/\bjson\b/i, "json"],
  [/\byaml\b/i, "{yaml,yml}"],
  [/\bhtml\b/i, "html"],
];
const commonFolders =
  "docs?|documentation|notes|src|lib|packages|apps|tests?|examples|content|wiki|meetings|minutes|adrs?|decisions";

export function readGoal(goal: string): Goal {
  const split = givenText(goal, 80);
  const request = split?.instruction ?? goal;
  const urls = request.match(url) ?? [];
  const bare = request.replace(url, " ");
  const files = [...new Set((bare.match(fileName) ?? []).map((name) => name.replace(/^\.\//, "")))];
  const folder = folderOf(bare);
  return {
    text: goal,
    request,
    words: bare
      .replace(fileName, " ")
      .replace(/["“‘`«][^"”’`»\n]{1,200}["”’`»]/g, " ")
      .replace(/\S+/g, (token) => (token.includes("/") ? " " : token)),
    files,
    pattern: glob.exec(bare)?.[1] ?? `${folder}**/*${endingOf(bare)}`,
    speaksOfFiles:
      files.length > 0 ||
      folder !== "" ||
      /\b(?:files?|folders?|director(?:y|ies)|documents?|docs|notes|markdown|repository|workspace)\b/i.test(bare) ||
      glob.test(bare),
    urls,
    quoted: /["“'‘`«]([^"”'’`»\n]{1,200})["”'’`»]/.exec(bare)?.[1],
    given: split?.text,
  };
}

/** With a slash at its end; empty for the whole workspace, which an absolute path means too. */
function folderOf(text: string): string {
  const named =
    /\b(?:below|under|beneath|underneath|inside|within)\s+(?:the\s+)?(?:folders?\s+|director(?:y|ies)\s+)?["'`]?([~\w./@+-]+)/i.exec(
      text,
    )?.[1] ??
    /\b(?:folder|directory)\s+["'`]?([~\w./@+-]*[\w/])["'`]?/i.exec(text)?.[1] ??
    /\b(?:in|of|from)\s+(?:the\s+)?["'`]?([\w.@+-]+)["'`]?\s+(?:folder|directory)\b/i.exec(text)?.[1] ??
    new RegExp(
      `\\b(?:in|of|from)\\s+(?:the\\s+)?["'\`]?((?:\\.{0,2}/)?[\\w.@+-]+/[\\w./@+-]*|(?:${commonFolders}))["'\`]?(?=[\\s,.;:]|$)`,
      "i",
    ).exec(text)?.[1] ??
    "";
  const clean = named
    .replace(/[.,;:]+$/, "")
    .replace(/^\.\//, "")
    .replace(/\/+$/, "");
  const isWhole =
    clean === "" ||
    clean === "." ||
    /^[/~]/.test(clean) ||
    /^(?:this|the|it|that|here|current|my|our|workspace|repository)$/i.test(clean);
  return isWhole || new RegExp(`\\.(?:${endings})$`, "i").test(clean) ? "" : `${clean}/`;
}

function endingOf(text: string): string {
  const said = /(?:^|\s)\*?\.([a-z]{1,5})\b(?= files?)/i.exec(text)?.[1];
  if (said !== undefined) return `.${said}`;
  const kind = kinds.find(([words]) => words.test(text))?.[1];
  return kind === undefined ? ".{md,markdown,txt,rst,adoc}" : `.${kind}`;
}
