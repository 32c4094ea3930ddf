/** API keys: only their SHA-256 is kept. */
import type { ApiKeyRow } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";

export interface NewApiKey {
  readonly tenantId: string;
  readonly keyId: string;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly string[];
}

const columns = sql`key_id as "keyId", tenant_id as "tenantId", name, scopes,
  floor(extract(epoch from created_at) * 1000)::float8 as "createdAt"`;

/** The same hash again (a generated dev key) keeps the first row. */
export async function createApiKey(db: Database, key: NewApiKey): Promise<void> {
  await db.execute(sql`
    insert into baton.api_key (tenant_id, key_id, name, hash, scopes)
    values (${key.tenantId}, ${key.keyId}, ${key.name}, ${key.hash}, ${sql.param(key.scopes)})
    on conflict (hash) do nothing`);
}

/** As baton_engine: the tenant is not known before the key is. Index: api_key_hash. */
export async function findApiKey(db: Database, hash: string): Promise<ApiKeyRow | undefined> {
  const rows = await rowsOf<ApiKeyRow>(
    db,
    sql`select ${columns} from baton.api_key where hash = ${hash} and revoked_at is null`,
  );
  return rows[0];
}

export function listApiKeys(db: Database, tenantId: string): Promise<readonly ApiKeyRow[]> {
  return rowsOf<ApiKeyRow>(
    db,
    sql`select ${columns} from baton.api_key where tenant_id = ${tenantId} and revoked_at is null order by key_id`,
  );
}

export async function revokeApiKey(db: Database, tenantId: string, keyId: string): Promise<boolean> {
  const rows = await rowsOf(
    db,
    sql`update baton.api_key set revoked_at = baton.clock()
        where tenant_id = ${tenantId} and key_id = ${keyId} and revoked_at is null
        returning key_id`,
  );
  return rows.length > 0;
}
