/**
 * Who is asking.
 *
 * 1. A key is kept as SHA-256 only: it has 256 random bits, so a slow hash would add nothing.
 * 2. `admin` includes the other scopes; `read` and `write` do not include each other.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Scope } from "@baton/contracts";
import { BatonError } from "@baton/core";
import type { ApiKeyRow, ClientStore } from "@baton/store";

export interface Principal {
  readonly tenantId: string;
  readonly keyId: string;
  /** Of the key. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

export function newApiKey(): string {
  return `baton_${randomBytes(32).toString("base64url")}`;
}

export function hashApiKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

export function presentedKey(headers: Headers): string | undefined {
  const authorization = headers.get("authorization");
  if (authorization !== null) {
    const [scheme = "", credentials = ""] = authorization.trim().split(/\s+/, 2);
    return scheme.toLowerCase() === "bearer" && credentials !== "" ? credentials : undefined;
  }
  return headers.get("x-api-key") ?? undefined;
}

export async function principalOf(store: Pick<ClientStore, "findApiKey">, key: string | undefined): Promise<Principal> {
  const row = key === undefined ? undefined : await store.findApiKey(hashApiKey(key));
  if (row === undefined) {
    const found = key === undefined ? "The request has no API key" : "The API key is not known, or was revoked";
    throw new BatonError(
      "unauthenticated",
      `${found}; send one as "Authorization: Bearer <key>" or "X-API-Key: <key>".`,
    );
  }
  return principalFrom(row);
}

export function principalFrom({ tenantId, keyId, name, scopes }: ApiKeyRow): Principal {
  return { tenantId, keyId, name, scopes: new Set(scopes as readonly Scope[]) };
}

export function mayUse(principal: Principal, scope: Scope): boolean {
  return principal.scopes.has("admin") || principal.scopes.has(scope);
}

export function requireScope(principal: Principal, scope: Scope): void {
  if (mayUse(principal, scope)) return;
  throw new BatonError(
    "forbidden",
    `This needs a key with the scope "${scope}"; this key has: ${[...principal.scopes].join(", ")}.`,
  );
}
