import { opendir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { BatonError } from "@baton/core";
import { pathOutside } from "../definition/refusals.ts";
import { diskCode, linkedFile, type Workspace } from "./confinement.ts";
import type { Glob, GlobStates } from "./glob.ts";

/** Skipped unless the pattern spells them out: nobody means them by "every file". */
const skippedFolders = [".git", "node_modules"];

export interface FoundFile {
  /** Relative to the workspace, with posix separators. */
  readonly path: string;
  /** Absolute and free of links when it was found. */
  readonly realPath: string;
}

interface Entry {
  readonly name: string;
  readonly kind: "file" | "folder" | "link";
}

/**
 * The files that match, in ascending order of their paths (UTF-16 code units), without holding more
 * than one folder per level in memory. Links to folders are not followed (they may loop); links to
 * files are found when their target lies inside.
 */
export async function* walkFiles(workspace: Workspace, glob: Glob, signal: AbortSignal): AsyncGenerator<FoundFile> {
  const skipped = new Set(skippedFolders.filter((name) => !glob.names(name)));
  yield* walkFolder({ workspace, glob, signal, skipped }, "", glob.start);
}

interface Walk {
  readonly workspace: Workspace;
  readonly glob: Glob;
  readonly signal: AbortSignal;
  readonly skipped: ReadonlySet<string>;
}

async function* walkFolder(walk: Walk, folder: string, states: GlobStates): AsyncGenerator<FoundFile> {
  const { workspace, glob, signal, skipped } = walk;
  for (const { name, kind } of await entriesOf(workspace, folder)) {
    signal.throwIfAborted();
    const path = folder + name;
    const below = glob.step(states, name);
    if (below.size === 0) continue;
    if (kind === "folder") {
      if (!skipped.has(name)) yield* walkFolder(walk, `${path}/`, below);
      continue;
    }
    const absolute = join(workspace.root, path);
    if (!glob.accepts(below)) continue;
    const realPath = kind === "file" ? absolute : await linkedFile(workspace, absolute);
    if (realPath !== undefined) yield { path, realPath };
  }
}

/** A folder sorts as "name/", which makes a depth-first walk visit paths in ascending order. */
async function entriesOf(workspace: Workspace, folder: string): Promise<Entry[]> {
  const absolute = join(workspace.root, folder);
  const entries: Entry[] = [];
  try {
    for await (const entry of await opendir(absolute)) {
      if (entry.isDirectory()) entries.push({ name: entry.name, kind: "folder" });
      else if (entry.isFile()) entries.push({ name: entry.name, kind: "file" });
      else if (entry.isSymbolicLink()) entries.push({ name: entry.name, kind: "link" });
    }
    // No link was followed to get here, so the folder is its own real path unless it was swapped meanwhile.
    if ((await realpath(absolute)) !== join(workspace.root, folder.slice(0, -1))) {
      throw pathOutside(folder, "was replaced by a link during the listing", "pattern");
    }
  } catch (error) {
    const code = diskCode(error);
    if (code === "ENOENT" && folder !== "") return []; // Removed between its parent's listing and its own.
    if (error instanceof BatonError) throw error;
    throw new BatonError("tool-failed", `The folder "${folder || "."}" of the workspace cannot be read (${code}).`, {
      cause: error,
      details: { sent: false },
    });
  }
  const key = ({ name, kind }: Entry) => (kind === "folder" ? `${name}/` : name);
  return entries.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
