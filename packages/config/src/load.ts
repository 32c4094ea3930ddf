/**
 * The configuration of one process.
 *
 * Purpose: defaults, then `baton.toml`, then `baton.<env>.toml`, then the environment; validated as a whole.
 * Boundary: nothing is opened or connected here, and no URL is ever guessed.
 *
 * 1. Every error is reported at once, with the setting, where its value came from, and the fix.
 * 2. A secret is never part of an error or of what is shown.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BatonError } from "@baton/core";
import type { FieldProblem } from "@baton/core";
import { parse } from "smol-toml";
import { variables, readVariable } from "./environment.ts";
import { configSchema } from "./schema.ts";
import type { Config } from "./schema.ts";

export interface LoadedConfig {
  readonly config: Config;
  /** Where a setting's value came from: a file, an environment variable, or "default". */
  sourceOf(path: string): string;
}

export interface ConfigPlace {
  /** The folder of the files. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

type Tree = Record<string, unknown>;

interface Problem {
  readonly path: string;
  readonly source: string;
  readonly detail: string;
}

export function loadConfig({ folder, env }: ConfigPlace): LoadedConfig {
  const sources = new Map<string, string>();
  const problems: Problem[] = [];
  const merged: Tree = {};
  const stage = env["BATON_ENV"] ?? env["NODE_ENV"];
  for (const name of ["baton.toml", ...(stage === undefined || stage === "" ? [] : [`baton.${stage}.toml`])]) {
    const tree = readFile(join(folder, name), name, problems);
    if (tree !== undefined) merge(merged, tree, name, sources);
  }
  for (const [name, { path, kind }] of Object.entries(variables)) {
    const text = env[name];
    if (text === undefined || text.trim() === "") continue;
    merge(merged, nested(path, readVariable(text, kind)), name, sources);
  }
  const sourceOf = (path: string) => nearest(sources, path);
  const result = configSchema.safeParse(merged);
  if (result.success && problems.length === 0) return { config: result.data, sourceOf };
  for (const issue of result.error?.issues ?? []) {
    const path = issue.path.join(".");
    const unknown = issue.code === "unrecognized_keys" ? issue.keys : [];
    for (const key of unknown) {
      const whole = path === "" ? key : `${path}.${key}`;
      problems.push({
        path: whole,
        source: sourceOf(whole),
        detail: "there is no such setting; remove it or correct its name",
      });
    }
    if (unknown.length === 0) problems.push({ path, source: sourceOf(path), detail: issue.message });
  }
  throw invalid(problems);
}

function readFile(path: string, name: string, problems: Problem[]): Tree | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return parse(readFileSync(path, "utf8")) as Tree;
  } catch (error) {
    const detail = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    problems.push({ path: "", source: name, detail: `the file cannot be read: ${detail}` });
    return undefined;
  }
}

function isTree(value: unknown): value is Tree {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function merge(into: Tree, from: Tree, source: string, sources: Map<string, string>, prefix = ""): void {
  for (const [key, value] of Object.entries(from)) {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    const present = Object.hasOwn(into, key) ? into[key] : undefined;
    if (isTree(value)) {
      const target = isTree(present) ? present : {};
      Object.defineProperty(into, key, { value: target, enumerable: true, configurable: true, writable: true });
      merge(target, value, source, sources, path);
    } else {
      Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
      sources.set(path, source);
    }
  }
}

function nested(path: string, value: unknown): Tree {
  const tree: Tree = {};
  const keys = path.split(".");
  const last = keys.pop() ?? path;
  let place = tree;
  for (const key of keys) {
    const next: Tree = {};
    place[key] = next;
    place = next;
  }
  place[last] = value;
  return tree;
}

/** Elements of a list have the list's source; a whole section has that of the first setting in it. */
function nearest(sources: ReadonlyMap<string, string>, path: string): string {
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const found = sources.get(at);
    if (found !== undefined) return found;
  }
  for (const [known, source] of sources) if (known.startsWith(`${path}.`)) return source;
  return "default";
}

function invalid(problems: readonly Problem[]): BatonError {
  const lines = problems.map(
    ({ path, source, detail }) => `- ${path === "" ? source : `${path} (from ${source})`}: ${detail}`,
  );
  const fields: FieldProblem[] = problems.map(({ path, source, detail }) => ({
    pointer: path === "" ? "" : `/${path.replaceAll(".", "/")}`,
    detail: `${detail} (from ${source})`,
  }));
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return new BatonError("invalid-configuration", `The configuration has ${count}:\n${lines.join("\n")}`, {
    problems: fields,
  });
}
