/**
 * Keys that were found a moment ago.
 *
 * Purpose: a client's requests come in bursts, and each would ask PostgreSQL for the same row. Boundary: a store whose
 * two verbs about single keys remember; every other verb is the store's own.
 *
 * 1. What another process revokes is refused here a second later at the latest, what this process revokes at once.
 * 2. Only keys that exist are remembered: guesses take no memory, and a new key opens at once.
 */
import type { ApiKeyRow, ClientStore } from "@baton/store";

const rememberedMs = 1_000;

export function rememberKeys(store: ClientStore, monotonic: () => number): ClientStore {
  const known = new Map<string, { readonly row: ApiKeyRow; readonly until: number }>();
  let revocations = 0;
  const verbs: Pick<ClientStore, "findApiKey" | "revokeApiKey"> = {
    async findApiKey(hash) {
      const remembered = known.get(hash);
      if (remembered !== undefined && monotonic() < remembered.until) return remembered.row;
      known.delete(hash);
      const [asked, seen] = [monotonic(), revocations];
      const row = await store.findApiKey(hash);
      // One that was read before a revocation may be the revoked one.
      if (row !== undefined && seen === revocations) known.set(hash, { row, until: asked + rememberedMs });
      return row;
    },
    async revokeApiKey(tenantId, keyId) {
      try {
        return await store.revokeApiKey(tenantId, keyId);
      } finally {
        revocations += 1;
        known.clear();
      }
    },
  };
  return Object.assign(Object.create(store) as ClientStore, verbs);
}
