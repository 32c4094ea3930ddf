/** What a migration that failed means to whoever runs it. */
import { BatonError, type ErrorCode } from "@baton/core";
import { toStoreError } from "../connection/database-error.ts";

const explanations: Readonly<Record<string, { readonly code: ErrorCode; readonly fix: string }>> = {
  // invalid_catalog_name, invalid_password, invalid_authorization_specification, insufficient_privilege
  "3D000": { code: "store-unavailable", fix: "DATABASE_URL names a database that does not exist" },
  "28P01": { code: "invalid-configuration", fix: "The server refuses the user or the password of DATABASE_URL" },
  "28000": { code: "invalid-configuration", fix: "The server refuses the user of DATABASE_URL" },
  "42501": { code: "unsafe-role", fix: "Migrate as the role that owns the database and its tables" },
};

/** The migration's own hints (which roles to create and to grant) come before anything general. */
export function explainedMigrationError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  // drizzle wraps the server's error.
  const server = error.cause instanceof Error ? error.cause : error;
  const { code, hint } = server as { code?: string; hint?: string };
  if (hint !== undefined && hint !== "") {
    return new BatonError("unsafe-role", `${server.message}. ${hint}`, { cause: error });
  }
  const known = code === undefined ? undefined : explanations[code];
  if (known === undefined) return toStoreError(error);
  return new BatonError(known.code, `${known.fix}: ${server.message}.`, { cause: error });
}
