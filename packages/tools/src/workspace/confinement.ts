/**
 * The folder a task may read.
 *
 * Purpose: open files below the workspace and nothing else. Boundary: reads only; what a task
 * produces becomes an artifact, never a file here.
 *
 * 1. Nothing outside is opened for reading: not by `..`, absolute paths, NUL, links in any component,
 *    or a component swapped for a link between the check and the open.
 * 2. Messages carry the path as it was given, never a real path of the machine.
 * 3. Only regular files are opened, without blocking (a FIFO would hang the worker).
 *
 * Not covered: hard links, which have no target to compare; who can make one can already read the file.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep, win32 } from "node:path";
import { BatonError } from "@baton/core";
import type { ToolCall } from "@baton/core/ports";
import { inputInvalid, pathOutside } from "../definition/refusals.ts";

export interface Workspace {
  /** The real path of the folder. */
  readonly root: string;
}

export interface OpenedFile {
  readonly file: FileHandle;
  /** Relative to the workspace, with posix separators. */
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * `allowed`: the operator's folders; the task's must be one of them or lie below one. Undefined allows any,
 * for a process whose callers may read its disk anyway.
 */
export async function openWorkspace(
  call: Pick<ToolCall, "workspace">,
  allowed: readonly string[] | undefined,
): Promise<Workspace> {
  if (call.workspace === undefined) {
    throw inputInvalid(
      "",
      "The task has no workspace folder: start it with one (baton run --dir FOLDER) or leave out file tools.",
    );
  }
  let root: string;
  try {
    root = await realpath(call.workspace);
  } catch (cause) {
    if (allowed !== undefined && !allowed.some((folder) => contains(folder, resolve(call.workspace as string))))
      throw notAllowed();
    throw new BatonError("tool-failed", "The task's workspace folder does not exist on this worker.", {
      cause,
      details: { sent: false },
    });
  }
  if (allowed === undefined) return { root };
  const folders = await Promise.all(allowed.map((folder) => realpath(folder).catch(unlessMissing)));
  if (!folders.some((folder) => folder !== undefined && contains(folder, root))) throw notAllowed();
  return { root };
}

function notAllowed(): BatonError {
  return new BatonError(
    "path-outside-workspace",
    "The operator does not allow this workspace folder: add it, or a folder above it, to worker.workspaces (BATON_WORKSPACES).",
    { details: { sent: false } },
  );
}

/** The caller closes `file`. Throws `path-outside-workspace`, or `tool-input-invalid` when no readable file is there. */
export async function openInside(workspace: Workspace, path: string): Promise<OpenedFile> {
  const lexical = lexicalPath(workspace, path);
  const real = await realInside(workspace, lexical, path);
  let file: FileHandle;
  try {
    file = await open(real, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    throw unreadable(path, cause);
  }
  try {
    const status = await file.stat();
    if (!status.isFile()) throw inputInvalid("path", `"${path}" is not a regular file.`);
    await checkOpened(workspace, file, real, path);
    return { file, path: posixPath(relative(workspace.root, lexical)), sizeBytes: status.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The regular file that a link leads to; undefined when it leads outside, to a folder or to nothing. */
export async function linkedFile(workspace: Workspace, link: string): Promise<string | undefined> {
  try {
    const target = await realpath(link);
    return contains(workspace.root, target) && (await lstat(target)).isFile() ? target : undefined;
  } catch (error) {
    if (["ENOENT", "ELOOP", "ENOTDIR", "EACCES"].includes(diskCode(error))) return undefined;
    throw error;
  }
}

/** The system's name for what went wrong, such as ENOENT; "" for other errors. */
export function diskCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function posixPath(path: string): string {
  return sep === "/" ? path : path.replaceAll(sep, "/");
}

/** What can be refused without touching the disk, so that a refusal does not tell what exists outside. */
function lexicalPath(workspace: Workspace, path: string): string {
  if (path === "") throw inputInvalid("path", "must not be empty.");
  if (path.includes("\0")) throw pathOutside(path, "contains a NUL character");
  if (isAbsolute(path) || win32.isAbsolute(path) || /^[A-Za-z]:/.test(path)) throw pathOutside(path, "is absolute");
  const lexical = resolve(workspace.root, path);
  if (!contains(workspace.root, lexical)) throw pathOutside(path, "leaves the workspace");
  return lexical;
}

async function realInside(workspace: Workspace, lexical: string, path: string): Promise<string> {
  let real: string;
  try {
    real = await realpath(lexical);
  } catch (cause) {
    if (await leavesThroughLink(workspace, lexical))
      throw pathOutside(path, "leads through a link out of the workspace");
    throw unreadable(path, cause);
  }
  if (!contains(workspace.root, real)) throw pathOutside(path, "leads through a link out of the workspace");
  return real;
}

/** For a path that does not resolve: whether its deepest existing ancestor already lies outside. */
async function leavesThroughLink(workspace: Workspace, lexical: string): Promise<boolean> {
  for (let ancestor = join(lexical, ".."); contains(workspace.root, ancestor); ancestor = join(ancestor, "..")) {
    try {
      return !contains(workspace.root, await realpath(ancestor));
    } catch {
      if (ancestor === workspace.root) return false; // Nothing of the path exists; look one level up.
    }
  }
  return false;
}

/**
 * Closes the race between realpath and open. Linux tells where an open descriptor points; elsewhere the
 * path is resolved again and must still be the opened inode, which a second swap in that moment could fool.
 */
async function checkOpened(workspace: Workspace, file: FileHandle, real: string, path: string): Promise<void> {
  if (process.platform === "linux") {
    const target = await readlink(`/proc/self/fd/${file.fd}`).catch(unlessMissing);
    if (target !== undefined && contains(workspace.root, target)) return;
    if (target !== undefined) throw pathOutside(path, "was moved out of the workspace while it was opened");
  }
  const again = await realpath(real);
  const [opened, found] = await Promise.all([file.stat({ bigint: true }), lstat(again, { bigint: true })]);
  if (contains(workspace.root, again) && opened.ino === found.ino && opened.dev === found.dev) return;
  throw pathOutside(path, "was moved out of the workspace while it was opened");
}

/** A container may have no /proc; then the portable check decides. */
function unlessMissing(error: unknown): undefined {
  if (diskCode(error) !== "ENOENT") throw error;
}

function contains(root: string, path: string): boolean {
  const below = relative(root, path);
  return below === "" || (below !== ".." && !below.startsWith(`..${sep}`) && !isAbsolute(below));
}

function unreadable(path: string, cause: unknown): BatonError {
  const code = diskCode(cause);
  const reasons: Record<string, string> = {
    ENOENT: "does not exist in the workspace",
    ENOTDIR: "does not exist in the workspace",
    EISDIR: "is a folder",
    EACCES: "may not be read by the worker",
    ELOOP: "is a loop of links",
    ENAMETOOLONG: "is too long for a path",
    ENXIO: "is not a regular file",
  };
  return inputInvalid("path", `"${path}" ${reasons[code] ?? `cannot be read (${code || "unknown error"})`}.`, cause);
}
