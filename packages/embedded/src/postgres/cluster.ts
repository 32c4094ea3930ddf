/**
 * The cluster on disk: made once, whole or not at all, owned by the user that the server runs as.
 *
 * Both programs get `-D /proc/self/cwd` and the cluster as working folder: the server's user need not be able to
 * walk there (a checkout below root's 0700 home), and no limit on the length of paths is met. The kernel
 * enters the folder before it gives up root, and that link is followed without looking at the parents.
 */
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { chown, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BatonError } from "@baton/core";
import type { Binaries } from "./binaries.ts";
import { folders, readConnection, writeConnection } from "./connection.ts";
import type { Connection } from "./connection.ts";

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` on every Linux; PostgreSQL refuses to run as root. */
const unprivileged: ServerUser = { uid: 65_534, gid: 65_534 };

export interface Cluster {
  readonly connection: Connection;
  /** Absent: the server runs as this process's own user. */
  readonly user?: ServerUser;
}

export async function ensureCluster(dataDir: string, binaries: Binaries, durable: boolean): Promise<Cluster> {
  const cluster = folders.cluster(dataDir);
  const found = await stat(cluster).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return await createCluster(dataDir, binaries, durable);
  const connection = await readConnection(dataDir);
  if (connection === undefined) {
    throw new BatonError(
      "embedded-failed",
      `${folders.connection(dataDir)}, which holds the password, is missing. Restore it, or delete ${cluster} to start with an empty database.`,
    );
  }
  const self = process.getuid?.() ?? 0;
  if (self === 0)
    return { connection, user: { uid: found.uid || unprivileged.uid, gid: found.gid || unprivileged.gid } };
  if (found.uid === self) return { connection };
  throw new BatonError(
    "embedded-failed",
    `${cluster} belongs to uid ${found.uid}, and this process runs as uid ${self}. Run as that user (or root), or take another data folder.`,
  );
}

async function createCluster(dataDir: string, binaries: Binaries, durable: boolean): Promise<Cluster> {
  const user = process.getuid?.() === 0 ? unprivileged : undefined;
  const connection: Connection = { user: "baton", password: randomBytes(24).toString("hex"), database: "baton" };
  const draft = join(dataDir, `postgres.${randomUUID()}`);
  try {
    const data = join(draft, "data");
    await mkdir(data, { recursive: true, mode: 0o700 });
    await writeFile(join(draft, "password"), `${connection.password}\n`, { mode: 0o600 });
    if (user) for (const path of [draft, data, join(draft, "password")]) await chown(path, user.uid, user.gid);
    await initialise(data, binaries, durable, user);
    await writeConnection(dataDir, connection);
    await rename(data, folders.cluster(dataDir));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return user ? { connection, user } : { connection };
}

async function initialise(data: string, binaries: Binaries, durable: boolean, user?: ServerUser): Promise<void> {
  const args = ["-D", "/proc/self/cwd", "-U", "baton", "--auth=scram-sha-256", "--pwfile=/proc/self/cwd/../password"];
  args.push("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "-E", "UTF8", "--no-instructions");
  if (!durable) args.push("--no-sync", "--no-data-checksums");
  const child = spawn(binaries.initdb, args, {
    cwd: data,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", LD_LIBRARY_PATH: binaries.libraries },
    stdio: ["ignore", "pipe", "pipe"],
    ...user,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const problem = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code === 0 ? undefined : `initdb ended with ${signal ?? code}`));
  });
  if (problem === undefined) return;
  const tail = output.trim().split("\n").slice(-8).join("\n");
  throw new BatonError(
    "embedded-failed",
    `The private PostgreSQL could not be created: ${problem}. ${advice(`${problem}\n${tail}`)}\n${tail}`,
    { details: { output } },
  );
}

/** The fix for what a start is known to fail of. */
export function advice(output: string): string {
  if (/No space left/i.test(output)) return "Free some disk space, or take a data folder on another disk.";
  if (/could not (create|resize|map).*shared memory/i.test(output))
    return "Give the machine or container more shared memory (/dev/shm).";
  if (/ENOENT|not found|ld-linux/i.test(output))
    return "These programs need glibc (musl systems such as Alpine have none): set DATABASE_URL to a PostgreSQL of your own.";
  if (/EINVAL|EPERM|EACCES|Permission denied/i.test(output)) {
    return "The programs must be executable (no `noexec` mount) and root must be able to start them as uid 65534: run as an ordinary user, or set DATABASE_URL.";
  }
  return "The server's own words follow; a PostgreSQL of your own in DATABASE_URL is the way around it.";
}
