/**
 * Where things stand in the repository: the rooms, their manifests and their source files.
 *
 * Boundary: reads the file system below one root; knows no rule about what it finds.
 * 1. A room is a folder with a package.json, one of those that pnpm-workspace.yaml names.
 * 2. Paths are relative to the root and use forward slashes.
 * 3. Order is alphabetical, so that two runs report the same findings in the same order.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";

export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string>>;
}

export interface Room {
  /** For example `packages/core`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

const unread = new Set(["node_modules", "dist", "coverage"]);

export function listRooms(root: string): Room[] {
  const workspace = parse(readFileSync(path.join(root, "pnpm-workspace.yaml"), "utf8")) as { packages: string[] };
  return workspace.packages
    .flatMap((pattern) => expandPattern(root, pattern))
    .filter((folder) => existsSync(path.join(root, folder, "package.json")))
    .sort()
    .map((folder) => ({
      folder,
      manifest: JSON.parse(readFileSync(path.join(root, folder, "package.json"), "utf8")) as Manifest,
    }));
}

/** Files below `folder` with one of the extensions; what is installed, built or hidden is left out. */
export function listFiles(root: string, folder: string, extensions: readonly string[]): string[] {
  const absolute = path.join(root, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { withFileTypes: true })
    .flatMap((entry) => {
      const file = path.posix.join(folder, entry.name);
      if (entry.isDirectory()) return isRead(entry.name) ? listFiles(root, file, extensions) : [];
      return extensions.includes(path.extname(entry.name)) ? [file] : [];
    })
    .sort();
}

export function listFolders(root: string, folder: string): string[] {
  const absolute = path.join(root, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isRead(entry.name))
    .flatMap((entry) => {
      const found = path.posix.join(folder, entry.name);
      return [found, ...listFolders(root, found)];
    })
    .sort();
}

export function isTest(file: string): boolean {
  return /(?:^|\/)test\//.test(file) || /\.test\.tsx?$/.test(file);
}

function isRead(folderName: string): boolean {
  return !unread.has(folderName) && !folderName.startsWith(".");
}

function expandPattern(root: string, pattern: string): string[] {
  if (!pattern.endsWith("/*")) return [pattern];
  const parent = pattern.slice(0, -2);
  if (!existsSync(path.join(root, parent))) return [];
  return readdirSync(path.join(root, parent), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isRead(entry.name))
    .map((entry) => path.posix.join(parent, entry.name));
}
