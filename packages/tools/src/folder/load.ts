/**
 * A folder of tools.
 *
 * Purpose: turn the files that users write into tools. Boundary: files directly in the folder, ending in
 * .ts, .js or .mjs; names beginning with "_" or "." are only imported by others, `.d.ts` and `.test.*` are not tools.
 *
 * 1. Every file must export a tool; one that does not is an error, not an empty result.
 * 2. Every error names the file. A duplicate names both.
 */
import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { BatonError } from "@baton/core";
import { isTool, type Tool } from "../definition/define.ts";

/** The tools of every file, ordered by file name. Throws `invalid-configuration`. */
export async function loadToolsFolder(path: string): Promise<readonly Tool[]> {
  const byFile = new Map<string, readonly Tool[]>();
  for (const file of await toolFiles(path)) byFile.set(file, await importTools(file));
  return mergedTools(byFile);
}

/** Absolute paths, sorted. */
export async function toolFiles(path: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (cause) {
    throw new BatonError(
      "invalid-configuration",
      `The tools folder "${path}" cannot be read: create it or correct the setting.`,
      { cause },
    );
  }
  return names
    .filter((name) => /\.(ts|js|mjs)$/.test(name) && !/^[._]|\.d\.ts$|\.test\.[a-z]+$/.test(name))
    .sort()
    .map((name) => join(resolve(path), name));
}

/** `version` makes Node load the file anew; what the file imports stays as it was loaded first. */
export async function importTools(file: string, version?: string): Promise<readonly Tool[]> {
  const url = pathToFileURL(file);
  if (version !== undefined) url.searchParams.set("version", version);
  let exported: Record<string, unknown>;
  try {
    exported = (await import(/* @vite-ignore */ url.href)) as Record<string, unknown>;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BatonError("invalid-configuration", `Tools file ${basename(file)} cannot be loaded: ${why}`, {
      cause,
      details: { file },
    });
  }
  const tools = [...new Set(Object.values(exported).filter(isTool))];
  if (tools.length > 0) return tools;
  const fix = 'export one made by defineTool, or begin its name with "_" if other files only import it';
  throw new BatonError("invalid-configuration", `Tools file ${basename(file)} exports no tool: ${fix}.`, {
    details: { file },
  });
}

export function mergedTools(byFile: ReadonlyMap<string, readonly Tool[]>): readonly Tool[] {
  const owners = new Map<string, string>();
  for (const [file, tools] of byFile) {
    for (const { name } of tools) {
      const other = owners.get(name);
      if (other !== undefined) {
        const where = other === file ? `twice in ${basename(file)}` : `in ${basename(other)} and in ${basename(file)}`;
        throw new BatonError("invalid-configuration", `Tool "${name}" stands ${where}: rename one of them.`, {
          details: { file },
        });
      }
      owners.set(name, file);
    }
  }
  return [...byFile.values()].flat();
}
