/**
 * The tables as drizzle sees them, for typed queries of one's own; our verbs are plain SQL. The truth is drizzle/*.sql;
 * a test compares both, column by column.
 */
import { customType, pgSchema } from "drizzle-orm/pg-core";

export const baton = pgSchema("baton");

export const bytes = customType<{ data: Uint8Array; driverData: Buffer }>({
  dataType: () => "bytea",
  toDriver: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  fromDriver: (value) => new Uint8Array(value),
});

/** xid8 as text: it may pass 2^53. */
export const transactionId = customType<{ data: string; driverData: string }>({ dataType: () => "xid8" });
