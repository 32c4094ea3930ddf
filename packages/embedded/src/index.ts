export { findPostgres, startPostgres } from "./postgres/postgres.ts";
export type { EmbeddedPostgres, PostgresOptions } from "./postgres/postgres.ts";
