/**
 * The peers' packages: how they are installed, and how they are loaded.
 *
 * Boundary: this folder's own manifest and lockfile; the repository's install does not know it.
 * 1. Nothing is installed before somebody asks for a peer, and no install script runs.
 * 2. No source names a peer's package in an import, so that types, lint and boundaries need no peer installed; each
 *    program declares the part of the interface that it uses.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const folder = import.meta.dirname;
const require = createRequire(import.meta.url);

/** Installs what the lockfile names, unless it is there already. */
export function ensurePeersInstalled(): Promise<void> {
  if (isInstalled()) return Promise.resolve();
  const pnpm = path.join(folder, "../../node_modules/.bin/pnpm");
  const command = existsSync(pnpm) ? pnpm : "pnpm";
  const { status, error } = spawnSync(command, ["install", "--frozen-lockfile", "--ignore-scripts"], {
    cwd: folder,
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (status === 0 && isInstalled()) return Promise.resolve();
  const reason = error?.message ?? `it ended with ${status}`;
  return Promise.reject(new Error(`The peers could not be installed: ${command} install in ${folder}: ${reason}.`));
}

export async function loadPackage<Interface>(name: string): Promise<Interface> {
  return (await import(name)) as Interface;
}

/** A file of an installed package, or of a package that this one depends on. */
export function resolveFile(name: string, from?: string): string {
  return from === undefined ? require.resolve(name) : createRequire(require.resolve(from)).resolve(name);
}

export function peerVersions(): Readonly<Record<string, string>> {
  return readManifest().dependencies;
}

function isInstalled(): boolean {
  return Object.entries(readManifest().dependencies).every(([name, version]) => {
    const manifest = path.join(folder, "node_modules", name, "package.json");
    return (
      existsSync(manifest) && (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version === version
    );
  });
}

function readManifest(): { readonly dependencies: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as never;
}
