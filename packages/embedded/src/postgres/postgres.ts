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
import { readFile, readlink, realpath, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openDataFolder } from "../data-folder.ts";
import { identityOf, isAlive, ownIdentity } from "../lifetime/identity.ts";
import type { ProcessIdentity } from "../lifetime/identity.ts";
import type { ProgramEnd } from "../lifetime/guard.ts";
import { withLock } from "../lifetime/lock.ts";
import { installBinaries } from "./binaries.ts";
import { ensureCluster, refuseForeignCluster } from "./cluster.ts";
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
  /** How the server ended, whether asked to or not; when attached: that its owner has ended. */
  readonly exited: Promise<ProgramEnd>;
  stop(): Promise<void>;
}

export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = await openDataFolder(options.dataDir);
  await refuseForeignCluster(dataDir);
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
    exited: ownerEnded(connection.owner),
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
 * Waits for a server whose owner has ended to end as well, and ends it when its guard was killed too.
 *
 * PostgreSQL takes any living process of its own user under the pid in postmaster.pid for the server, and refuses
 * to start. When that process is somebody else, a pid that no process can have is written in its place; the rest of
 * the file stays, because by it PostgreSQL notices backends that have outlived their server.
 */
async function outlive(dataDir: string): Promise<void> {
  const path = join(folders.cluster(dataDir), "postmaster.pid");
  const until = performance.now() + 12_000;
  for (;;) {
    const postmaster = await readPostmaster(dataDir);
    if (postmaster === undefined) return;
    if (!(await runsIn(postmaster.pid, folders.cluster(dataDir)))) break;
    if (performance.now() > until) process.kill(postmaster.pid, "SIGQUIT");
    await delay(50);
  }
  const text = await readFile(path, "utf8").catch(() => "");
  if (identityOf(Number(text.split("\n")[0]))) await writeFile(path, text.replace(/^\d+/, "999999999"));
}

async function runsIn(pid: number, folder: string): Promise<boolean> {
  const workingFolder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return workingFolder !== undefined && workingFolder === (await realpath(folder));
}

/** An attached server is watched by its owner's life; there is nothing else to wait on. */
function ownerEnded(owner: ProcessIdentity): Promise<ProgramEnd> {
  return new Promise((settle) => {
    const watch = setInterval(() => {
      if (isAlive(owner)) return;
      clearInterval(watch);
      settle({ code: null, signal: null });
    }, 500);
    watch.unref();
  });
}
