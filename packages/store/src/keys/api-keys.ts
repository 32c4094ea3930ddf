/** API keys: only their SHA-256 is kept. */
import { and, eq, isNull, sql } from "drizzle-orm";
import type { ApiKeyRow } from "../client-store.ts";
import type { Database } from "../connection/pools.ts";
import { apiKey } from "../schema/tenancy.ts";

export interface NewApiKey {
  readonly tenantId: string;
  readonly keyId: string;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly string[];
}

/** The same hash again (a generated dev key) keeps the first row. */
export async function createApiKey(db: Database, key: NewApiKey): Promise<void> {
  await db
    .insert(apiKey)
    .values({ ...key, scopes: [...key.scopes] })
    .onConflictDoNothing({ target: apiKey.hash });
}

/** As baton_engine: the tenant is not known before the key is. Index: api_key_hash. */
export async function findApiKey(db: Database, hash: string): Promise<ApiKeyRow | undefined> {
  const rows = await db
    .select()
    .from(apiKey)
    .where(and(eq(apiKey.hash, hash), isNull(apiKey.revokedAt)));
  return rows[0] === undefined ? undefined : toRow(rows[0]);
}

export async function listApiKeys(db: Database, tenantId: string): Promise<readonly ApiKeyRow[]> {
  const rows = await db
    .select()
    .from(apiKey)
    .where(and(eq(apiKey.tenantId, tenantId), isNull(apiKey.revokedAt)))
    .orderBy(apiKey.keyId);
  return rows.map(toRow);
}

export async function revokeApiKey(db: Database, tenantId: string, keyId: string): Promise<boolean> {
  const rows = await db
    .update(apiKey)
    .set({ revokedAt: sql`baton.clock()` })
    .where(and(eq(apiKey.tenantId, tenantId), eq(apiKey.keyId, keyId), isNull(apiKey.revokedAt)))
    .returning({ keyId: apiKey.keyId });
  return rows.length > 0;
}

function toRow(row: typeof apiKey.$inferSelect): ApiKeyRow {
  return {
    keyId: row.keyId,
    tenantId: row.tenantId,
    name: row.name,
    scopes: row.scopes,
    createdAt: row.createdAt.getTime(),
  };
}
