/**
 * The rules of docs/GLOSSARY.md, read from its tables.
 *
 * Boundary: parses one document; knows nothing of the sources that are checked.
 * 1. The document is the only list: a word added there is checked from then on.
 * 2. A missing section or an empty list is an error, except where the document may list nothing.
 */
export interface Glossary {
  readonly spellings: readonly { readonly not: string; readonly write: string }[];
  readonly foreignSpellings: readonly { readonly spelling: string; readonly onlyIn: readonly string[] }[];
  readonly emptyVerbs: readonly { readonly verb: string; readonly rather: string }[];
  readonly homes: readonly { readonly word: string; readonly onlyIn: readonly string[]; readonly because: string }[];
  readonly knownNames: readonly string[];
  readonly emptyFolders: readonly string[];
}

export function parseGlossary(markdown: string): Glossary {
  const table = (heading: readonly string[], mayBeEmpty = false) => readTable(markdown, heading, mayBeEmpty);
  return {
    spellings: table(["not", "write"]).map(([not = "", write = ""]) => ({ not, write })),
    foreignSpellings: table(["spelling", "only in"], true).map(([spelling = "", onlyIn = ""]) => ({
      spelling,
      onlyIn: splitList(onlyIn),
    })),
    emptyVerbs: table(["verb", "rather"]).map(([verb = "", rather = ""]) => ({ verb, rather })),
    homes: table(["word", "only in", "because"]).map(([word = "", onlyIn = "", because = ""]) => ({
      word,
      onlyIn: splitList(onlyIn),
      because,
    })),
    knownNames: table(["name"], true).flat(),
    emptyFolders: table(["folder"]).flat(),
  };
}

function readTable(markdown: string, heading: readonly string[], mayBeEmpty: boolean): string[][] {
  const lines = markdown.split("\n");
  const at = lines.indexOf(`| ${heading.join(" | ")} |`);
  if (at < 0) throw new Error(`docs/GLOSSARY.md has no table with the columns ${heading.join(", ")}`);
  const rows: string[][] = [];
  for (const line of lines.slice(at + 2)) {
    if (!line.startsWith("|")) break;
    rows.push(
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  }
  if (rows.length === 0 && !mayBeEmpty) throw new Error(`docs/GLOSSARY.md: the table ${heading.join(", ")} is empty`);
  return rows;
}

function splitList(cell: string): string[] {
  return cell.split(",").map((item) => item.trim());
}
