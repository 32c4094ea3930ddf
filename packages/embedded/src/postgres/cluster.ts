/**
 * The cluster on disk: made once, whole or not at all, owned by the user that the server runs as.
 *
 * Both programs get `-D /proc/self/cwd` and the cluster as working folder: the server's user need not be able to
 * walk there (a checkout below root's 0700 home), and no limit on the length of paths is met. The kernel
 * enters the folder before it gives up root, and that link is followed without looking at the parents.
 */
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BatonError } from "@baton/core";
import type { Binaries } from "./binaries.ts";
import { folders, readConnection, writeConnection } from "./connection.ts";
import type { Connection } from "./connection.ts";

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

export interface Cluster {
  readonly connection: Connection;
  /** Absent: the server runs as this process's own user. */
  readonly user?: ServerUser;
}

export async function ensureCluster(dataDir: string, binaries: Binaries, durable: boolean): Promise<Cluster> {
  const cluster = folders.cluster(dataDir);
  const found = await statIfThere(cluster);
  const root = process.getuid?.() === 0;
  if (found === undefined)
    return await createCluster(dataDir, binaries, durable, root ? await unprivilegedUser() : undefined);
  const connection = await readConnection(dataDir);
  if (connection !== undefined) return { connection, ...(root && { user: { uid: found.uid, gid: found.gid } }) };
  throw new BatonError(
    "embedded-failed",
    `${folders.connection(dataDir)}, which holds the password, is missing. Restore it, or delete ${cluster} to start with an empty database.`,
  );
}

/** A cluster can be read by its owner and root alone; anyone else is told so before anything is tried. */
export async function refuseForeignCluster(dataDir: string): Promise<void> {
  const cluster = folders.cluster(dataDir);
  const self = process.getuid?.();
  const owner = (await statIfThere(cluster))?.uid;
  if (owner === undefined || self === 0 || owner === self) return;
  throw new BatonError(
    "embedded-failed",
    `${cluster} belongs to uid ${owner}, and this process runs as uid ${self}. Run as that user or as root, or take another data folder.`,
  );
}

async function createCluster(
  dataDir: string,
  binaries: Binaries,
  durable: boolean,
  user: ServerUser | undefined,
): Promise<Cluster> {
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
  const run = async (command: string, before: string[]) =>
    await outcomeOf(command, [...before, ...args], { cwd: data, libraries: binaries.libraries, ...(user && { user }) });
  let outcome = await run(binaries.initdb, []);
  if (/could not look up effective user ID/.test(outcome.output)) {
    // initdb, unlike the server, wants its user to have a name; in a namespace of its own it has somebody else's.
    const [named] = await namedUsers();
    const namespace = ["--user", `--map-user=${named?.uid ?? 1}`, binaries.initdb];
    outcome = await run("unshare", namespace);
  }
  if (outcome.problem === undefined) return;
  const tail = outcome.output.trim().split("\n").slice(-8).join("\n");
  throw new BatonError(
    "embedded-failed",
    `The private PostgreSQL could not be created: ${outcome.problem}. ${advice(`${outcome.problem}\n${tail}`)}\n${tail}`,
    { details: { output: outcome.output } },
  );
}

interface Surroundings {
  readonly cwd: string;
  readonly libraries: string;
  readonly user?: ServerUser;
}

async function outcomeOf(command: string, args: readonly string[], { cwd, libraries, user }: Surroundings) {
  const env = { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", LD_LIBRARY_PATH: libraries };
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], ...user });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const problem = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code === 0 ? undefined : `initdb ended with ${signal ?? code}`));
  });
  return { problem, output };
}

/** PostgreSQL refuses to run as root. */
async function unprivilegedUser(): Promise<ServerUser> {
  const nobody = (await namedUsers()).find((user) => user.name === "nobody");
  return { uid: nobody?.uid ?? 65_534, gid: nobody?.gid ?? 65_534 };
}

/** passwd(5), root left out. */
async function namedUsers(): Promise<(ServerUser & { name: string })[]> {
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  return lines
    .map(([name = "", , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((user) => user.uid > 0);
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The fix for what a start is known to fail of. */
export function advice(output: string): string {
  if (/No space left/i.test(output)) return "Free some disk space, or take a data folder on another disk.";
  if (/could not (create|resize|map).*shared memory/i.test(output))
    return "Give the machine or container more shared memory (/dev/shm).";
  if (/look up effective user ID/.test(output)) return "Give this user a line in /etc/passwd.";
  if (/ENOENT|not found|ld-linux/i.test(output))
    return "These programs need glibc (musl systems such as Alpine have none): set DATABASE_URL to a PostgreSQL of your own.";
  if (/EINVAL|EPERM|EACCES|Permission denied/i.test(output)) {
    return "The programs must be executable (no `noexec` mount) and root must be able to start them as uid 65534: run as an ordinary user, or set DATABASE_URL.";
  }
  return "The server's own words follow; a PostgreSQL of your own in DATABASE_URL is the way around it.";
}
