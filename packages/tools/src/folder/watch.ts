import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Tool } from "../definition/define.ts";
import { importTools, mergedTools, toolFiles } from "./load.ts";

export interface ToolsFolderChange {
  /** All tools of the folder; a file that cannot be loaded keeps its previous version. */
  readonly tools: readonly Tool[];
  /** One error per file that cannot be loaded now; empty when the folder is as written. */
  readonly problems: readonly Error[];
}

export interface ToolsFolderWatch {
  close(): Promise<void>;
}

interface LoadedFile {
  readonly signature: string;
  readonly tools: readonly Tool[];
  readonly problem: Error | undefined;
}

/**
 * Calls `onChange` with the folder as it is now, and again after every change, until closed. For `dev`.
 *
 * Polls instead of fs.watch: events are missing on bind mounts and network folders and name no file on
 * some platforms, while a tools folder is a handful of stats. `onChange` must not throw.
 */
export async function watchToolsFolder(
  path: string,
  onChange: (change: ToolsFolderChange) => void,
  options: { readonly intervalMs?: number } = {},
): Promise<ToolsFolderWatch> {
  const stop = new AbortController();
  const folder = new FolderState(path);
  await folder.refresh();
  onChange(folder.change());
  const loop = poll(folder, onChange, options.intervalMs ?? 1_000, stop.signal);
  return {
    close: async () => {
      stop.abort();
      await loop;
    },
  };
}

async function poll(
  folder: FolderState,
  onChange: (change: ToolsFolderChange) => void,
  intervalMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await delay(intervalMs, undefined, { signal, ref: false });
    } catch {
      return; // Closed while waiting.
    }
    if ((await folder.refresh()) && !signal.aborted) onChange(folder.change());
  }
}

class FolderState {
  readonly #path: string;
  #files = new Map<string, LoadedFile>();
  #tools: readonly Tool[] = [];
  #problem: Error | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  change(): ToolsFolderChange {
    const problems = [...this.#files.values()].flatMap(({ problem }) => problem ?? []);
    return { tools: this.#tools, problems: this.#problem === undefined ? problems : [...problems, this.#problem] };
  }

  /** True when anything differs from the last time. */
  async refresh(): Promise<boolean> {
    let files: string[];
    try {
      files = await toolFiles(this.#path);
    } catch (error) {
      return this.#report(asError(error));
    }
    const next = new Map<string, LoadedFile>();
    for (const file of files) next.set(file, await reloaded(file, this.#files.get(file)));
    const isSame =
      next.size === this.#files.size && [...next].every(([file, loaded]) => this.#files.get(file) === loaded);
    if (isSame && this.#problem === undefined) return false;
    this.#files = next;
    try {
      this.#tools = mergedTools(new Map([...next].map(([file, { tools }]) => [file, tools])));
    } catch (error) {
      return this.#report(asError(error)) || !isSame;
    }
    const wasBroken = this.#problem !== undefined;
    this.#problem = undefined;
    return wasBroken || !isSame;
  }

  #report(problem: Error): boolean {
    const isNew = this.#problem?.message !== problem.message;
    this.#problem = problem;
    return isNew;
  }
}

async function reloaded(file: string, before: LoadedFile | undefined): Promise<LoadedFile> {
  try {
    const { mtimeNs, size, ino } = await stat(file, { bigint: true });
    const signature = `${mtimeNs}-${size}-${ino}`;
    if (before?.signature === signature) return before;
    try {
      return { signature, tools: await importTools(file, signature), problem: undefined };
    } catch (error) {
      return { signature, tools: before?.tools ?? [], problem: asError(error) };
    }
  } catch (error) {
    if (before?.signature === "unreadable") return before;
    return { signature: "unreadable", tools: before?.tools ?? [], problem: asError(error) };
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
