/**
 * Brings a database to this version.
 *
 * Purpose: numbered migrations from drizzle/, then the verbs of this version as SQL functions.
 * Boundary: runs as the user the URL names, who owns the tables.
 *
 * 1. One process migrates at a time (advisory lock); the others wait and find nothing to do.
 * 2. Every statement waits at most 3 s for a lock and the whole is tried again.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { classifyDatabaseError } from "../connection/database-error.ts";
import { explainedMigrationError } from "./explanation.ts";
import { installVerbs } from "./verbs.ts";

const migrationsFolder = fileURLToPath(new URL("../../../../drizzle", import.meta.url));
// Any constant; the same in every version.
const migrationLock = 7_261_842_511;

export interface MigrateResult {
  /** False when the database was already at this version. */
  readonly changed: boolean;
}

export async function migrate(url: string): Promise<MigrateResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await migrateOnce(url);
    } catch (error) {
      const code = (error as { code?: string }).code;
      // 55P03 lock_timeout; XX000 "tuple concurrently updated" of cluster-wide roles.
      const again = code === "XX000" || classifyDatabaseError(error) === "transient";
      if (!again || attempt === 20) throw explainedMigrationError(error);
      await new Promise((resolve) => setTimeout(resolve, 100 * attempt));
    }
  }
}

async function migrateOnce(url: string): Promise<MigrateResult> {
  const client = new pg.Client({ connectionString: url, application_name: "baton-migrate" });
  // Without a listener a connection that breaks while idle would end the process; the query in flight rejects as well.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [migrationLock]);
    await client.query("set lock_timeout = '3s'; set client_min_messages = warning");
    const changedTables = (await newestApplied(client)) < newestKnown();
    if (changedTables) await applyMigrations(client);
    const changedVerbs = await installVerbs(client);
    return { changed: changedTables || changedVerbs };
  } finally {
    await client.end();
  }
}

/** When the newest migration was written, in Unix ms: drizzle applies what is newer than the newest applied. */
function newestKnown(): number {
  const journal = JSON.parse(readFileSync(`${migrationsFolder}/meta/_journal.json`, "utf8")) as {
    readonly entries: readonly { readonly when: number }[];
  };
  return Math.max(...journal.entries.map(({ when }) => when));
}

async function newestApplied(client: pg.Client): Promise<number> {
  const table = await client.query<{ found: string | null }>(
    "select to_regclass('baton_migrations.__drizzle_migrations')::text as found",
  );
  if (table.rows[0]?.found == null) return 0;
  const newest = await client.query<{ when: number | null }>(
    "select max(created_at)::float8 as when from baton_migrations.__drizzle_migrations",
  );
  return newest.rows[0]?.when ?? 0;
}

/** Loaded where it is used, 0.7 s of processor time: most processes find nothing to apply, and api and worker never look. */
async function applyMigrations(client: pg.Client): Promise<void> {
  const [{ drizzle }, { migrate: apply }] = await Promise.all([
    import("drizzle-orm/node-postgres"),
    import("drizzle-orm/node-postgres/migrator"),
  ]);
  await apply(drizzle(client), { migrationsFolder, migrationsSchema: "baton_migrations" });
}
