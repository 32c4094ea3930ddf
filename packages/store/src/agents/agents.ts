/** Agents that were created over the api; see agents.sql. */
import type { AgentPut, AgentRow } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";

const columns = sql`a.name, a.version, a.definition, (extract(epoch from a.created_at) * 1000)::float8 as "createdAt"`;

export async function putAgent(
  db: Database,
  { tenantId, name, definition, expected, by }: AgentPut,
): Promise<{ readonly answer: "created" | "changed" | "unchanged" | "stale"; readonly version: number }> {
  const rows = await rowsOf<{ reply: Awaited<ReturnType<typeof putAgent>> }>(
    db,
    sql`select baton_v1.put_agent(${tenantId}::uuid, ${name}, ${JSON.stringify(definition)}::jsonb, ${expected ?? null}::int,
          ${by ?? null}::uuid) as reply`,
  );
  return (rows[0] as { reply: Awaited<ReturnType<typeof putAgent>> }).reply;
}

/** The newest unless a version is named; a deleted one is found by its versions alone. Index: primary key. */
export async function findAgent(
  db: Database,
  { tenantId, name, version }: { tenantId: string; name: string; version?: number | undefined },
): Promise<AgentRow | undefined> {
  const rows = await rowsOf<AgentRow & { readonly isDeleted: boolean }>(
    db,
    sql`select ${columns}, a.deleted_at is not null as "isDeleted" from baton.agent a
        where a.tenant_id = ${tenantId}::uuid and a.name = ${name} and ${version === undefined ? sql`true` : sql`a.version = ${version}`}
        order by a.version desc limit 1`,
  );
  const [found] = rows;
  if (found === undefined || (found.isDeleted && version === undefined)) return undefined;
  const { isDeleted: _isDeleted, ...row } = found;
  return row;
}

/** The newest version of each that is not deleted, by name. Index: primary key. */
export function listAgents(db: Database, tenantId: string): Promise<readonly AgentRow[]> {
  return rowsOf<AgentRow>(
    db,
    sql`select * from (
          select distinct on (a.name) ${columns}, a.deleted_at from baton.agent a
          where a.tenant_id = ${tenantId}::uuid order by a.name, a.version desc) newest
        where deleted_at is null order by name`,
  ).then((rows) => rows.map(({ name, version, definition, createdAt }) => ({ name, version, definition, createdAt })));
}

/** Tasks that have it keep it. False when there is none. Index: primary key. */
export async function deleteAgent(db: Database, tenantId: string, name: string): Promise<boolean> {
  const rows = await rowsOf(
    db,
    sql`update baton.agent set deleted_at = baton.clock()
        where tenant_id = ${tenantId}::uuid and name = ${name} and deleted_at is null
          and version = (select max(version) from baton.agent where tenant_id = ${tenantId}::uuid and name = ${name})
        returning version`,
  );
  return rows.length > 0;
}
