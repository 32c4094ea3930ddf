/**
 * Generated files: written from their sources, or compared with them.
 *
 * Boundary: it writes and compares what generators answer; it knows none of them.
 * 1. A generator owns the files that its patterns match: one that it no longer answers is stale, and is removed.
 * 2. A generator answers the same content for the same sources: no clock, no random, no machine's path.
 * 3. A file that is answered by two generators, or outside its generator's patterns, is an error.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

export interface Generator {
  readonly name: string;
  /** Globs below the root; everything they match is generated. */
  readonly files: readonly string[];
  /** Path below the root → content. */
  generate(): Promise<ReadonlyMap<string, string>>;
}

export interface Difference {
  readonly generator: string;
  readonly file: string;
  readonly kind: "missing" | "changed" | "stale";
  /** The first line that differs, for `changed`. */
  readonly line?: number;
}

export async function compareGenerated(root: string, generators: readonly Generator[]): Promise<Difference[]> {
  return compare(root, await generateAll(generators));
}

/** Answers what it changed. */
export async function writeGenerated(root: string, generators: readonly Generator[]): Promise<Difference[]> {
  const answers = await generateAll(generators);
  const contents = new Map([...answers.values()].flatMap((files) => [...files]));
  const differences = compare(root, answers);
  for (const { file } of differences) {
    const content = contents.get(file);
    if (content === undefined) rmSync(path.join(root, file));
    else {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), content);
    }
  }
  return differences;
}

function compare(root: string, answers: ReadonlyMap<Generator, ReadonlyMap<string, string>>): Difference[] {
  const differences: Difference[] = [];
  for (const [generator, contents] of answers) {
    const { name, files } = generator;
    const present = new Set(globSync([...files], { cwd: root }).map(toPosix));
    for (const [file, content] of contents) {
      if (!present.delete(file)) differences.push({ generator: name, file, kind: "missing" });
      else {
        const line = firstDifferentLine(readFileSync(path.join(root, file), "utf8"), content);
        if (line !== undefined) differences.push({ generator: name, file, kind: "changed", line });
      }
    }
    for (const file of present) differences.push({ generator: name, file, kind: "stale" });
  }
  return differences;
}

async function generateAll(generators: readonly Generator[]): Promise<Map<Generator, ReadonlyMap<string, string>>> {
  const answers = new Map<Generator, ReadonlyMap<string, string>>();
  const owners = new Map<string, string>();
  for (const generator of generators) {
    const contents = await generator.generate();
    for (const file of contents.keys()) {
      const owner = owners.get(file);
      if (owner !== undefined) throw new Error(`${file} is generated twice: by ${owner} and by ${generator.name}`);
      if (!generator.files.some((pattern) => path.matchesGlob(file, pattern))) {
        throw new Error(`${generator.name} generates ${file}, which none of its patterns matches`);
      }
      owners.set(file, generator.name);
    }
    answers.set(generator, contents);
  }
  return answers;
}

function firstDifferentLine(present: string, expected: string): number | undefined {
  if (present === expected) return undefined;
  const [left, right] = [present.split("\n"), expected.split("\n")];
  const at = left.findIndex((line, index) => line !== right[index]);
  return (at < 0 ? left.length : at) + 1;
}

function toPosix(file: string): string {
  return file.split(path.sep).join("/");
}
