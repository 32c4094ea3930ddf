import { BatonError } from "@baton/core";
import { describe, expect, it } from "vitest";
import { classifyDatabaseError, type DatabaseErrorClass, toStoreError } from "../src/connection/database-error.ts";

const coded = (code: string, more: ErrorOptions = {}): Error =>
  Object.assign(new Error("from the server", more), { code });

// Source of the five-digit codes: the errcodes appendix of PostgreSQL's manual.
const table: readonly (readonly [string, unknown, DatabaseErrorClass])[] = [
  ["22P05 untranslatable_character (NUL in jsonb)", coded("22P05"), "data"],
  ["22001 string_data_right_truncation", coded("22001"), "data"],
  ["23505 unique_violation", coded("23505"), "data"],
  ["23514 check_violation", coded("23514"), "data"],
  ["40001 serialization_failure", coded("40001"), "transient"],
  ["40P01 deadlock_detected", coded("40P01"), "transient"],
  ["55P03 lock_not_available", coded("55P03"), "transient"],
  ["53300 too_many_connections", coded("53300"), "transient"],
  ["08006 connection_failure", coded("08006"), "transient"],
  ["57P01 admin_shutdown", coded("57P01"), "transient"],
  ["57P03 cannot_connect_now", coded("57P03"), "transient"],
  [
    "XX000 while the verbs are installed anew",
    Object.assign(new Error("cache lookup failed for type 16918"), { code: "XX000" }),
    "transient",
  ],
  [
    "XX000 while the types of the verbs are installed anew",
    Object.assign(new Error("could not open relation with OID 16917"), { code: "XX000" }),
    "transient",
  ],
  [
    "42883 while the verbs are installed anew",
    Object.assign(new Error("function baton_v1.settle(jsonb) does not exist"), { code: "42883" }),
    "transient",
  ],
  [
    "3F000 while the verbs are installed anew",
    Object.assign(new Error('schema "baton_v1" does not exist'), { code: "3F000" }),
    "transient",
  ],
  ["42883, a function that is no verb", coded("42883"), "other"],
  ["XX000, anything else that must not happen", coded("XX000"), "other"],
  ["57014, a statement somebody stopped", coded("57014"), "other"],
  ["40002 transaction_integrity_constraint_violation", coded("40002"), "other"],
  ["42P01 undefined_table", coded("42P01"), "other"],
  ["BT001 an illegal move of a task", coded("BT001"), "other"],
  ["a refused connection", coded("ECONNREFUSED"), "transient"],
  ["a reset connection", coded("ECONNRESET"), "transient"],
  ["a name that does not resolve for now", coded("EAI_AGAIN"), "transient"],
  ["a file that is missing", coded("ENOENT"), "other"],
  ["every address refused", new AggregateError([coded("ENOENT"), coded("ECONNREFUSED")]), "transient"],
  ["every address wrong", new AggregateError([coded("ENOENT")]), "other"],
  ["a transient error in drizzle's wrapper", new Error("Failed query", { cause: coded("40P01") }), "transient"],
  ["a data error two wrappers deep", new Error("a", { cause: new Error("b", { cause: coded("22003") }) }), "data"],
  ["pg: Connection terminated unexpectedly", new Error("Connection terminated unexpectedly"), "transient"],
  ["pg: timeout exceeded", new Error("Connection terminated due to connection timeout"), "transient"],
  ["pg: after an error", new Error("Client has encountered a connection error and is not queryable"), "transient"],
  ["pg: no free connection in time", new Error("timeout exceeded when trying to connect"), "transient"],
  ["pg: no answer in time", new Error("Query read timeout"), "transient"],
  ["25P03 idle_in_transaction_session_timeout", coded("25P03"), "transient"],
  ["an error without a code", new Error("no"), "other"],
  ["an error whose code is a number", Object.assign(new Error("no"), { code: 22 }), "other"],
  ["no error at all", "40P01", "other"],
  ["nothing", undefined, "other"],
];

describe("an error of the database", () => {
  it.each(table)("%s is classified", (_, error, expected) => {
    expect(classifyDatabaseError(error)).toBe(expected);
  });
});

describe("a caller of the store", () => {
  it("hears store-unavailable for what is transient, with its cause", () => {
    const cause = coded("57P01");
    expect(toStoreError(cause)).toMatchObject({ code: "store-unavailable", cause });
  });

  it("hears everything else as it was", () => {
    const baton = new BatonError("not-found", "No such thing.");
    const data = coded("23505");
    expect(toStoreError(baton)).toBe(baton);
    expect(toStoreError(data)).toBe(data);
    expect(toStoreError("text")).toBe("text");
  });
});
