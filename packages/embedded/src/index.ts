export { findPostgres, startPostgres } from "./postgres/postgres.ts";
export type { EmbeddedPostgres, PostgresOptions } from "./postgres/postgres.ts";
export { superviseStack } from "./stack/stack.ts";
export type { Stack, StackEnd, StackOptions } from "./stack/stack.ts";
export { findStack } from "./stack/state.ts";
export type { StackState } from "./stack/state.ts";
export type { ChildEvent, ChildLine, ChildProgram } from "./stack/child.ts";
