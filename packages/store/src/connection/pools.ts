/**
 * Connections to PostgreSQL in their roles.
 *
 * Purpose: every connection runs as baton_engine (all tenants) or as baton_api, which sees one tenant inside a
 * transaction and none outside. Boundary: verbs get a way to query, never a connection.
 *
 * 1. No statement runs as the user the URL names, except migrations and LISTEN, which reads no row.
 * 2. Start-up fails when a role is superuser, owner or BYPASSRLS.
 */
import { BatonError } from "@baton/core";
import { CasingCache } from "drizzle-orm/casing";
import pg from "pg";
import { isSilence, toStoreError } from "./database-error.ts";
import type { SQL } from "./sql.ts";

export interface PoolOptions {
  readonly url: string;
  /** Of each role. */
  readonly maxConnections: number;
  readonly applicationName: string;
  readonly onError: (error: Error) => void;
  /** How long a statement of the engine, or the beginning of a transaction, may go unanswered; default 10,000. */
  readonly answerMs?: number;
}

type Role = "baton_engine" | "baton_api";

/** One connection, or the pool. */
export interface Database {
  execute(statement: SQL): Promise<pg.QueryResult>;
}

export interface Lane {
  /** One statement as baton_engine; after `answerMs` its connection counts as broken. */
  engine<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** A transaction as baton_api that sees one tenant. */
  api<Result>(tenantId: string, run: (db: Database) => Promise<Result>): Promise<Result>;
}

export interface Connections extends Lane {
  /** Queries as baton_engine, each on its own. */
  asEngine<Result>(run: (db: Database) => Promise<Result>): Promise<Result>;
  /**
   * A connection of its own, for a verb that is called all the time, one call after the other: a server process plans
   * each of them for itself, and again whenever a table was vacuumed or analysed.
   */
  lane(): Lane;
  /** The pool as baton_engine, for what streams. */
  readonly database: Database;
  close(): Promise<void>;
}

/** The rows of a hand-written statement. */
export async function rowsOf<Row>(db: Database, statement: SQL): Promise<readonly Row[]> {
  return (await db.execute(statement)).rows as unknown as readonly Row[];
}

const postgresql = {
  casing: new CasingCache(),
  escapeName: pg.escapeIdentifier,
  escapeParam: (index: number) => `$${index + 1}`,
  escapeString: pg.escapeLiteral,
};

/**
 * drizzle's own database brings its query builder and every column type, which no verb needs: measured, half of the
 * processor time that a worker took to load, and 60 of its 230 MB.
 */
function databaseOn(connection: pg.Pool | pg.PoolClient): Database {
  return {
    execute: (statement) => {
      const { sql: text, params } = statement.toQuery(postgresql);
      return connection.query(text, params);
    },
  };
}

/**
 * Every verb reaches its rows by index, whatever the statistics say: a plan made while a table was empty is kept by
 * its connection, and a fresh table is analysed late. Measured on 3,000 steps with an idle autovacuum: see
 * docs/decisions/0007. JIT compiles longer than any verb runs.
 */
const planning =
  "set jit = off; set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set enable_material = off; set plan_cache_mode = force_generic_plan";

/**
 * A connection can fall silent without a word to either side, so every statement has an end. Those of the engine are
 * short, and what they did is found again when they are repeated; the longest of all, a plan of 100,000 steps, takes
 * seconds. On the server a transaction that hears nothing more from its client lets its locks go.
 */
const defaultAnswerMs = 10_000;
const longestMs = 60_000;
const letGo = "set idle_in_transaction_session_timeout = '15s'";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return uuid.test(text);
}

export function openConnections(options: PoolOptions): Connections {
  const { answerMs = defaultAnswerMs } = options;
  const pools: pg.Pool[] = [];
  const open = (role: Role, maxConnections: number): pg.Pool => {
    const pool = openPool({ ...options, maxConnections }, role, answerMs);
    pools.push(pool);
    return pool;
  };
  const failed = (error: unknown): unknown => {
    if (isSilence(error)) for (const pool of pools) dropIdle(pool);
    return toStoreError(error);
  };
  const laneOn = (engines: pg.Pool, clients: pg.Pool): Lane => ({
    engine: async (text, values) => {
      try {
        return (await engines.query({ ...bounded(text, answerMs), name: nameOf(text) }, values as unknown[])).rows;
      } catch (error) {
        throw failed(error);
      }
    },
    api: async (tenantId, run) => {
      if (!uuid.test(tenantId))
        throw new BatonError("invalid-request", `The tenant id ${JSON.stringify(tenantId)} is not a UUID.`);
      let client: pg.PoolClient | undefined;
      try {
        client = await clients.connect();
        const open = client;
        await open.query(bounded(`begin; set local baton.tenant_id = '${tenantId}'`, answerMs));
        const result = await run(databaseOn(open));
        await open.query("commit");
        open.release();
        return result;
      } catch (error) {
        if (client !== undefined) await rollBack(client, error);
        throw failed(error);
      }
    },
  });

  const pool = open("baton_engine", options.maxConnections);
  const database = databaseOn(pool);
  return {
    ...laneOn(pool, open("baton_api", options.maxConnections)),
    asEngine: async (run) => {
      try {
        return await run(database);
      } catch (error) {
        throw failed(error);
      }
    },
    database,
    lane: () => laneOn(open("baton_engine", 1), open("baton_api", 1)),
    close: async () => {
      await Promise.all(pools.map((each) => each.end()));
    },
  };
}

/**
 * Where one connection fell silent, the idle ones may be as dead, and each would cost one answer's time. They are handed
 * out at once, without asking the server.
 */
function dropIdle(pool: pg.Pool): void {
  for (let left = pool.idleCount; left > 0; left--) {
    void pool.connect().then(
      (client) => client.release(true),
      () => undefined,
    );
  }
}

/**
 * One role for life: plans depend on the role, so a connection that changed it would make each of them anew. A pool
 * opens its connections when they are needed; a worker never opens one of clients.
 */
function openPool(options: PoolOptions, role: Role, answerMs: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections,
    application_name: options.applicationName,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
    query_timeout: longestMs,
    // bigint and numeric columns stay within 2^53 here: counts, bytes, positions, milliseconds.
    types: {
      getTypeParser: (oid, format) => (oid === 20 || oid === 1700 ? Number : pg.types.getTypeParser(oid, format)),
    },
    verify: (client, done) => {
      client.query(bounded(`set role ${role}; ${planning}; ${letGo}`, answerMs)).then(() => done(), done);
    },
  });
  pool.on("error", options.onError);
  // One that breaks between two statements of a transaction has no other listener, and would end the process; the next
  // statement rejects. What breaks while idle is the pool's to report.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/**
 * Statements of the engine are few, have fixed texts and come thousands of times: each connection parses one once,
 * under a name.
 */
const names = new Map<string, string>();

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `baton-${names.size + 1}`;
  names.set(text, name);
  return name;
}

/** The types of pg do not know of a limit for one statement. */
function bounded(text: string, withinMs: number): pg.QueryConfig {
  return { text, query_timeout: withinMs } as pg.QueryConfig;
}

/** A connection that answers nothing, or cannot even roll back, is thrown away, not returned to the pool. */
async function rollBack(client: pg.PoolClient, after: unknown): Promise<void> {
  if (isSilence(after)) {
    client.release(true);
    return;
  }
  try {
    await client.query("rollback");
    client.release();
  } catch (error) {
    client.release(error instanceof Error ? error : true);
  }
}

/** Throws `unsafe-role` when row-level security would not bind one of the roles. */
export async function checkRoles(connections: Connections): Promise<void> {
  const rows = await connections.engine<{ name: string; danger: string }>(
    `select r.rolname as name,
            case when r.rolsuper then 'superuser' when r.rolbypassrls then 'BYPASSRLS' else 'owner of ' || c.relname end as danger
     from pg_roles r
     left join pg_class c on c.relowner = r.oid and c.relnamespace = 'baton'::regnamespace and c.relkind = 'r'
     where r.rolname in ('baton_api', 'baton_engine') and (r.rolsuper or r.rolbypassrls or c.oid is not null)
     limit 1`,
  );
  const unsafe = rows[0];
  if (unsafe !== undefined) {
    throw new BatonError(
      "unsafe-role",
      `The database role ${unsafe.name} is ${unsafe.danger}: row-level security would not bind it. ` +
        `Run "alter role ${unsafe.name} nosuperuser nobypassrls" and let another role own the tables.`,
    );
  }
}
