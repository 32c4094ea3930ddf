/**
 * A PostgreSQL of a test's own that can be stopped, crashed and started again at the same address.
 *
 * 1. What was committed survives a crash: nothing is flushed to the disk, but every commit is handed to the system.
 * 2. The URL stays the same over restarts.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type EmbeddedPostgres, startPostgres } from "@baton/embedded";
import pg from "pg";
import { scratchFolder } from "../servers/scratch.ts";

export interface FaultyPostgres {
  /** As superuser. */
  readonly url: string;
  /** In order (fast shutdown); resolves when it is gone. */
  stop(): Promise<void>;
  /** Without a goodbye (immediate shutdown); the next start recovers from the log. */
  crash(): Promise<void>;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** Ends it for good and deletes its data. */
  close(): Promise<void>;
}

/** Without a synchronous commit a crash would lose what clients were told is stored. */
const settings = { synchronous_commit: true, full_page_writes: true };

export async function startFaultyPostgres(): Promise<FaultyPostgres> {
  const dataDir = await scratchFolder("postgres");
  const launch = () => startPostgres({ dataDir, durable: false, settings });
  let server: EmbeddedPostgres | undefined = await launch();
  const { url } = server;
  const end = async (how: (running: EmbeddedPostgres) => Promise<void>): Promise<void> => {
    const running = server;
    server = undefined;
    if (running !== undefined) await how(running);
  };
  const stop = () => end((running) => running.stop());
  return {
    url,
    stop,
    crash: () =>
      end(async (running) => {
        process.kill(await postmasterPid(dataDir), "SIGQUIT");
        await running.exited;
      }),
    async start() {
      server ??= await launch();
      if (server.url !== url) throw new Error(`PostgreSQL came back at another address than ${new URL(url).host}`);
    },
    async close() {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function postmasterPid(dataDir: string): Promise<number> {
  const text = await readFile(join(dataDir, "postgres", "postmaster.pid"), "utf8");
  return Number(text.split("\n", 1)[0]);
}

/** Ends the sessions of the URL's database that match, all but its own; gives how many. */
export async function terminateBackends(adminUrl: string, applicationName = "%"): Promise<number> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ count: number }>(
      `select count(*) filter (where pg_terminate_backend(pid))::int as count from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and application_name like $1`,
      [applicationName],
    );
    return rows[0]?.count ?? 0;
  } finally {
    await client.end();
  }
}
