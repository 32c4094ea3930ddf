/** Figures about texts and files: what was counted, what is largest or newest, what two texts share. */
import type { Source } from "../material.ts";
import { wordsOf } from "../text/words.ts";

export interface TextFigures {
  readonly source: string;
  readonly wordCount: number;
  readonly lineCount: number;
  readonly characterCount: number;
}

export function countText({ name, text }: Source): TextFigures {
  const lineCount = text === "" ? 0 : text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return { source: name, wordCount: wordsOf(text).length, lineCount, characterCount: [...text].length };
}

export interface ListedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedAt?: string;
}

/** Every `{path, sizeBytes}` below a JSON value. */
export function filesIn(value: unknown): readonly ListedFile[] {
  if (Array.isArray(value)) return value.flatMap(filesIn);
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Partial<ListedFile>;
  if (typeof fields.path === "string" && typeof fields.sizeBytes === "number") return [fields as ListedFile];
  return Object.values(value).flatMap(filesIn);
}

export type FileOrder = "largest" | "smallest" | "newest" | "oldest";

export function rankFiles(files: readonly ListedFile[], order: FileOrder): readonly ListedFile[] {
  const key = (file: ListedFile): number | string =>
    order === "largest" || order === "smallest" ? file.sizeBytes : (file.modifiedAt ?? "");
  const sign = order === "largest" || order === "newest" ? -1 : 1;
  const compare = (a: ListedFile, b: ListedFile): number => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
  return files.toSorted((a, b) => sign * compare(a, b) || (a.path < b.path ? -1 : 1));
}

export interface TextComparison {
  readonly onlyInFirst: readonly string[];
  readonly onlyInSecond: readonly string[];
  readonly sharedCount: number;
}

/** By lines that say something, wherever they stand. */
export function compareTexts(first: string, second: string): TextComparison {
  const lines = (text: string): string[] =>
    text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => /[\p{L}\p{N}]/u.test(line));
  const [a, b] = [lines(first), lines(second)];
  const [inA, inB] = [new Set(a), new Set(b)];
  return {
    onlyInFirst: [...inA].filter((line) => !inB.has(line)),
    onlyInSecond: [...inB].filter((line) => !inA.has(line)),
    sharedCount: [...inA].filter((line) => inB.has(line)).length,
  };
}
