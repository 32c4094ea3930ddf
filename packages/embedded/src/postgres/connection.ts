/**
 * What is written beside the data: `postgres.json` (0600: how to reach the server, and who owns it), and what
 * the server itself says in `postmaster.pid`.
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProcessIdentity } from "../lifetime/identity.ts";

export interface Connection {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Of the last start; the next one takes it again when it is free. */
  readonly port?: number;
  /** The process that the server leaves with. */
  readonly owner?: ProcessIdentity;
}

export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly ready: boolean;
}

export const folders = {
  cluster: (dataDir: string) => join(dataDir, "postgres"),
  connection: (dataDir: string) => join(dataDir, "postgres.json"),
  log: (dataDir: string) => join(dataDir, "postgres.log"),
  lock: (dataDir: string) => join(dataDir, "postgres.lock"),
};

export async function readConnection(dataDir: string): Promise<Connection | undefined> {
  const text = await readIfThere(folders.connection(dataDir));
  return text === undefined ? undefined : (JSON.parse(text) as Connection);
}

export async function writeConnection(dataDir: string, connection: Connection): Promise<void> {
  const path = folders.connection(dataDir);
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${JSON.stringify(connection, undefined, 2)}\n`, { mode: 0o600 });
  await rename(draft, path);
}

/** Lines of postmaster.pid: pid, folder, start, port, socket folder, address, shared memory, status. */
export async function readPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const lines = (await readIfThere(join(folders.cluster(dataDir), "postmaster.pid")))?.split("\n");
  if (lines === undefined) return undefined;
  return { pid: Math.abs(Number(lines[0])), port: Number(lines[3]), ready: lines[7]?.trim() === "ready" };
}

export function urlOf(connection: Connection, port: number): string {
  return `postgres://${connection.user}:${connection.password}@127.0.0.1:${port}/${connection.database}`;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
