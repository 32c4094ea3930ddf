/**
 * A private PostgreSQL 18 for machines that have none.
 *
 * Purpose: from a data folder to the URL of a running server, without installing anything, as root and as an
 * ordinary user. Boundary: the server and nothing in it; schemas and migrations are the store's.
 *
 * 1. It listens on 127.0.0.1 alone, on a free port, with a random password that stands in `postgres.json` (0600).
 * 2. One server per data folder: who comes second attaches, and its `stop()` leaves the server alone.
 * 3. The server leaves with the process that started it, however that ends (lifetime/guard.ts).
 * 4. The data stay in the folder that was asked for, whatever its length and whoever may walk there (cluster.ts).
 * 5. Nothing of a killed start remains in the way: the cluster appears whole, locks name a living process, and a
 *    server whose owner is dead is waited for and replaced.
 */
import { mkdir, readlink, realpath, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { identityOf, isAlive, ownIdentity } from "../lifetime/identity.ts";
import type { ProgramEnd } from "../lifetime/guard.ts";
import { withLock } from "../lifetime/lock.ts";
import { installBinaries } from "./binaries.ts";
import { ensureCluster } from "./cluster.ts";
import { folders, readConnection, readPostmaster, urlOf, writeConnection } from "./connection.ts";
import { launchServer } from "./server.ts";
import type { Settings } from "./server.ts";
import { queryOnce } from "./wire.ts";

export interface PostgresOptions {
  /** Holds the cluster, the connection file and the server's log; made when it is missing. */
  readonly dataDir: string;
  /** False for tests: nothing is flushed to the disk, and a power cut loses everything. */
  readonly durable: boolean;
  /** Added to the server's configuration, by PostgreSQL's names. */
  readonly settings?: Settings;
}

export interface EmbeddedPostgres {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** True: another process started it, owns it, and will stop it. */
  readonly attached: boolean;
  /** How the server ended, whether asked to or not. Never settles when attached. */
  readonly exited: Promise<ProgramEnd>;
  stop(): Promise<void>;
}

export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true });
  return await withLock(folders.lock(dataDir), 180_000, async () => {
    const live = await findPostgres(dataDir);
    if (live) return live;
    await outlive(dataDir);
    return await launch(dataDir, options);
  });
}

/** The live server of that folder, if a living process owns one. */
export async function findPostgres(folder: string): Promise<EmbeddedPostgres | undefined> {
  const dataDir = resolve(folder);
  const connection = await readConnection(dataDir);
  const postmaster = await readPostmaster(dataDir);
  if (!connection?.owner || !isAlive(connection.owner) || !postmaster?.ready) return undefined;
  if (identityOf(postmaster.pid) === undefined) return undefined;
  const { port } = postmaster;
  const answers = await queryOnce({ ...connection, port }, "select 1").then(
    () => true,
    () => false,
  );
  if (!answers) return undefined;
  return {
    url: urlOf(connection, port),
    port,
    dataDir,
    attached: true,
    exited: new Promise(() => undefined),
    stop: () => Promise.resolve(),
  };
}

async function launch(dataDir: string, options: PostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await installBinaries();
  const cluster = await ensureCluster(dataDir, binaries, options.durable);
  const { port: preferredPort, ...connection } = cluster.connection;
  const { program, port } = await launchServer(
    { dataDir, durable: options.durable, settings: options.settings ?? {}, ...(preferredPort && { preferredPort }) },
    binaries,
    cluster,
  );
  try {
    await createDatabase({ ...connection, port }, connection.database);
    await writeConnection(dataDir, { ...connection, port, owner: ownIdentity() });
  } catch (error) {
    await program.stop();
    throw error;
  }
  return {
    url: urlOf(connection, port),
    port,
    dataDir,
    attached: false,
    exited: program.exited,
    stop: async () => void (await program.stop()),
  };
}

async function createDatabase(address: { port: number; user: string; password: string }, name: string): Promise<void> {
  const admin = { ...address, database: "postgres" };
  const found = await queryOnce(admin, `select 1 from pg_database where datname = '${name}'`);
  if (found.length === 0) await queryOnce(admin, `create database ${name}`);
}

/**
 * Waits for a server whose owner has ended to end as well, and ends it when its guard was killed too. A
 * postmaster.pid whose process is gone, or is somebody else by now, is removed: PostgreSQL would take any living
 * process of its own user under that pid for the server, and refuse to start.
 */
async function outlive(dataDir: string): Promise<void> {
  const until = performance.now() + 12_000;
  for (;;) {
    const postmaster = await readPostmaster(dataDir);
    if (postmaster === undefined) return;
    if (!(await runsIn(postmaster.pid, folders.cluster(dataDir)))) break;
    if (performance.now() > until) process.kill(postmaster.pid, "SIGQUIT");
    await delay(50);
  }
  await rm(join(folders.cluster(dataDir), "postmaster.pid"), { force: true });
}

async function runsIn(pid: number, folder: string): Promise<boolean> {
  const workingFolder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return workingFolder !== undefined && workingFolder === (await realpath(folder));
}
