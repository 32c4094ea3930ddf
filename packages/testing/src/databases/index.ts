/**
 * A database of its own for every test file, cloned from a migrated template (50 ms).
 *
 * 1. The template is made once per server, whoever comes first.
 * 2. The login role is an ordinary one that owns the database, as in production.
 */
import { migrate } from "@baton/store";
import pg from "pg";

export { resetDatabaseClock, setDatabaseClock } from "./clock.ts";
export type { DatabaseClock } from "./clock.ts";

export interface TestDatabase {
  readonly url: string;
  /** A superuser's URL of the same database. */
  readonly adminUrl: string;
  /** Rows per table of the schema baton, as the superuser sees them: equal before and after means nothing was written. */
  rowCounts(): Promise<Readonly<Record<string, number>>>;
  /** A second tenant, for tests of what one may see of another. */
  addTenant(tenantId: string): Promise<void>;
  /** A statement as the superuser, for what no verb does: to age a row, to break one. */
  execute(statement: string, values?: readonly unknown[]): Promise<void>;
  /** A query as the superuser, who sees every tenant and every session of the server. */
  read<Row>(statement: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  drop(): Promise<void>;
}

const template = "baton_template";
let serial = 0;

export async function createTestDatabase(serverUrl: string): Promise<TestDatabase> {
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  try {
    await admin.query("select pg_advisory_lock(4711)");
    const found = await admin.query("select from pg_database where datname = $1", [template]);
    if (found.rowCount === 0) await createTemplate(admin, serverUrl);
    const name = `baton_test_${process.pid}_${Date.now().toString(36)}_${serial++}`;
    await admin.query(`create database ${name} template ${template} owner baton_app`);
    await admin.query("select pg_advisory_unlock(4711)");
    const asSuperuser = openPool(urlOf(serverUrl, name));
    const read = async <Row>(statement: string, values: readonly unknown[] = []): Promise<readonly Row[]> =>
      (await asSuperuser.query(statement, [...values])).rows as readonly Row[];
    const execute = async (statement: string, values?: readonly unknown[]): Promise<void> =>
      void (await read(statement, values));
    return {
      url: urlOf(serverUrl, name, "baton_app"),
      adminUrl: urlOf(serverUrl, name),
      addTenant: (tenantId) => execute("insert into baton.tenant (tenant_id, name) values ($1, 'another')", [tenantId]),
      rowCounts: () => rowCounts(read),
      execute,
      read,
      drop: async () => {
        await asSuperuser.end();
        const client = new pg.Client({ connectionString: serverUrl });
        await client.connect();
        await client.query(`drop database if exists ${name} with (force)`);
        await client.end();
      },
    };
  } finally {
    await admin.end();
  }
}

/**
 * Kept open between two statements: tests look again and again whether something holds, and connecting costs both sides
 * more than the look itself. One that breaks, because a test breaks the server, is replaced.
 */
function openPool(adminUrl: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: adminUrl, max: 8, idleTimeoutMillis: 2_000 });
  pool.on("error", () => undefined);
  return pool;
}

async function rowCounts(read: TestDatabase["read"]): Promise<Readonly<Record<string, number>>> {
  const tables = await read<{ name: string }>(
    "select c.relname as name from pg_class c where c.relnamespace = 'baton'::regnamespace and c.relkind = 'r' order by 1",
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [counted] = await read<{ count: number }>(`select count(*)::int as count from baton.${name}`);
    counts[name] = counted?.count ?? 0;
  }
  return counts;
}

async function createTemplate(admin: pg.Client, serverUrl: string): Promise<void> {
  // Every process of a test opens a dozen connections: no 4,096 rounds of hashing for each of them.
  await admin.query("set scram_iterations = 1");
  await admin.query(`do $$ begin
    if not exists (select from pg_roles where rolname = 'baton_app') then
      create role baton_app login password 'baton_app' createrole;
    end if;
  end $$`);
  const draft = `${template}_draft`;
  await admin.query(`drop database if exists ${draft}`);
  await admin.query(`create database ${draft} owner baton_app`);
  await migrate(urlOf(serverUrl, draft, "baton_app"));
  await admin.query(`alter database ${draft} rename to ${template}`);
}

function urlOf(serverUrl: string, database: string, role?: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  if (role !== undefined) {
    url.username = role;
    url.password = role;
  }
  return url.href;
}
