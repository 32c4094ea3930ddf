/**
 * The glossary check: names and spellings of the repository against docs/GLOSSARY.md.
 *
 * Boundary: reads one tree and answers findings; `check.ts` prints them.
 * 1. A finding names the rule, the file and line where there is one, and what to write instead.
 * 2. A scan of too few files is itself a finding.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { listFiles, listFolders } from "../workspace/workspace.ts";
import { type Glossary, parseGlossary } from "./glossary.ts";
import { readNames, splitWords } from "./names.ts";

export type GlossaryRule =
  | "one-spelling"
  | "no-empty-verb"
  | "one-home-per-word"
  | "no-empty-folder-name"
  | "scan-is-not-empty";

export interface GlossaryFinding {
  readonly rule: GlossaryRule;
  readonly where: string;
  readonly what: string;
}

const glossaryFile = "docs/GLOSSARY.md";
const sourceFolders = ["apps", "packages", "examples", "agents", "tests", "bench", "tooling"];
const textFolders = [...sourceFolders, "docs", "drizzle"];
const sourceExtensions = [".ts", ".tsx", ".mjs"];
const textExtensions = [...sourceExtensions, ".md", ".sql", ".json", ".toml", ".yml", ".yaml"];
/** The check's own rooms quote what they forbid. */
const quoting = [glossaryFile, "tooling/glossary/", "tooling/test/glossary"];

export function scanGlossary(root: string, minimumFiles: number): { findings: GlossaryFinding[]; fileCount: number } {
  const glossary = parseGlossary(readFileSync(path.join(root, glossaryFile), "utf8"));
  const rootTexts = readdirSync(root).filter((name) => textExtensions.includes(path.extname(name)));
  const texts = [...rootTexts, ...textFolders.flatMap((folder) => listFiles(root, folder, textExtensions))].filter(
    (file) => file !== "pnpm-lock.yaml" && !quoting.some((prefix) => file.startsWith(prefix)),
  );
  const sources = texts.filter((file) => sourceExtensions.includes(path.extname(file)));
  const read = (file: string) => readFileSync(path.join(root, file), "utf8");
  const findings = [
    ...texts.flatMap((file) => checkSpelling(glossary, file, read(file))),
    ...sources.flatMap((file) => checkNames(glossary, file, read(file))),
    ...sourceFolders.flatMap((folder) => checkFolders(glossary, listFolders(root, folder))),
  ];
  if (texts.length < minimumFiles) {
    const what = `the scan sees ${texts.length} files, expected at least ${minimumFiles}`;
    findings.push({ rule: "scan-is-not-empty", where: ".", what });
  }
  return { findings, fileCount: texts.length };
}

function checkSpelling(glossary: Glossary, file: string, text: string): GlossaryFinding[] {
  const lines = [file, ...text.split("\n")];
  return glossary.spellings.flatMap(({ not, write }) => {
    const isForeign = glossary.foreignSpellings.some(
      ({ spelling, onlyIn }) => spelling.toLowerCase() === not && onlyIn.some((prefix) => file.startsWith(prefix)),
    );
    if (isForeign) return [];
    return lines.flatMap((line, number): GlossaryFinding[] =>
      line.toLowerCase().includes(not)
        ? [
            {
              rule: "one-spelling",
              where: number === 0 ? file : `${file}:${number}`,
              what: `"${not}": write "${write}"`,
            },
          ]
        : [],
    );
  });
}

function checkNames(glossary: Glossary, file: string, source: string): GlossaryFinding[] {
  const { declared, exportedVerbs } = readNames(file, source);
  const findings: GlossaryFinding[] = [];
  for (const name of exportedVerbs) {
    const empty = glossary.emptyVerbs.find(({ verb }) => splitWords(name)[0] === verb);
    if (empty) findings.push({ rule: "no-empty-verb", where: file, what: `${name}: rather ${empty.rather}` });
  }
  for (const { word, onlyIn, because } of glossary.homes) {
    if (onlyIn.some((prefix) => file.startsWith(prefix))) continue;
    for (const name of [...declared, path.basename(file, path.extname(file))]) {
      const isFound = splitWords(name).some((part) => part === word || part === `${word}s`);
      if (!isFound || glossary.knownNames.includes(name)) continue;
      const what = `${name}: "${word}" only in ${onlyIn.join(" and ")} (${because})`;
      findings.push({ rule: "one-home-per-word", where: file, what });
    }
  }
  return findings;
}

function checkFolders(glossary: Glossary, folders: readonly string[]): GlossaryFinding[] {
  return folders
    .filter((folder) => glossary.emptyFolders.includes(path.basename(folder)))
    .map((folder) => ({
      rule: "no-empty-folder-name",
      where: folder,
      what: `"${path.basename(folder)}" holds anything: name the folder for what lives in it`,
    }));
}
