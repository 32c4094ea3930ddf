import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { migrate } from "@baton/store";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { explainedMigrationError } from "../src/migrations/explanation.ts";
import { startTcpProxy } from "@baton/testing/faults";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
});
afterAll(() => database?.drop());

const ofServer = (code: string, hint?: string): Error => Object.assign(new Error("the server's words"), { code, hint });

describe("an error of a migration", () => {
  it.each([
    [
      "with a hint of the migration's own",
      ofServer("P0001", "create role x;"),
      "unsafe-role",
      "the server's words. create role x;",
    ],
    [
      "with a hint, in drizzle's wrapper",
      new Error("Failed query", { cause: ofServer("P0001", "grant x;") }),
      "unsafe-role",
      "the server's words. grant x;",
    ],
    [
      "3D000",
      ofServer("3D000"),
      "store-unavailable",
      "DATABASE_URL names a database that does not exist: the server's words.",
    ],
    [
      "28P01",
      ofServer("28P01"),
      "invalid-configuration",
      "The server refuses the user or the password of DATABASE_URL: the server's words.",
    ],
    [
      "28000",
      ofServer("28000", ""),
      "invalid-configuration",
      "The server refuses the user of DATABASE_URL: the server's words.",
    ],
    [
      "42501",
      new Error("Failed query", { cause: ofServer("42501") }),
      "unsafe-role",
      "Migrate as the role that owns the database and its tables: the server's words.",
    ],
    [
      "ECONNREFUSED, when patience is over",
      ofServer("ECONNREFUSED"),
      "store-unavailable",
      "PostgreSQL does not answer; try again.",
    ],
  ])("%s is explained", (_, error, code, message) => {
    expect(explainedMigrationError(error)).toMatchObject({ code, message, cause: error });
  });

  it("that nothing is known about stays as it is", () => {
    const unknown = ofServer("42601");
    expect(explainedMigrationError(unknown)).toBe(unknown);
    expect(explainedMigrationError("text")).toBe("text");
  });
});

describe("migrate", () => {
  it("as a user that the server does not know, or that owns nothing, is explained by what the server said", async () => {
    const stranger = new URL(database.url);
    stranger.username = "nobody_at_all";
    await expect(migrate(stranger.href)).rejects.toMatchObject({ code: "invalid-configuration" });
    const other = await createTestDatabase(inject("postgresUrl"));
    const role = `guest_${process.pid}`;
    await other.execute(`create role ${role} login password 'guest'`);
    await other.execute("drop schema baton_migrations cascade");
    const guest = new URL(other.url);
    guest.username = role;
    guest.password = "guest";
    await expect(migrate(guest.href)).rejects.toMatchObject({
      code: "unsafe-role",
      message: expect.stringMatching(/owns the database and its tables: permission denied/),
    });
    await other.execute(`drop role ${role}`);
    await other.drop();
  });

  it("waits for a server that is not there yet", async () => {
    const proxy = await startTcpProxy(database.url);
    proxy.refuse();
    const migrating = migrate(proxy.url);
    await expect.poll(() => proxy.counts.refused, { timeout: 30_000 }).toBeGreaterThan(1);
    proxy.admit();
    expect(await migrating).toEqual({ changed: false });
    await proxy.close();
  });
});

describe("the program", () => {
  const program = fileURLToPath(new URL("../src/migrations/main.ts", import.meta.url));
  const run = (url: string | undefined) =>
    new Promise<{ code: number | string | null | undefined; stdout: string; stderr: string }>((resolve) => {
      const { DATABASE_URL: _, ...env } = process.env;
      execFile(
        process.execPath,
        [program],
        { env: url === undefined ? env : { ...env, DATABASE_URL: url } },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
      );
    });

  it("says in one line what it did, and exits with the code of what went wrong", async () => {
    expect(await run(database.url)).toMatchObject({ code: 0, stdout: "The database is at this version.\n" });
    await database.execute("comment on schema baton_v1 is 'verbs of another version'");
    expect(await run(database.url)).toMatchObject({ code: 0, stdout: "The database was brought to this version.\n" });
    expect(await run(undefined)).toMatchObject({
      code: 78,
      stderr: expect.stringContaining("DATABASE_URL is not set"),
    });
    const nowhere = new URL(database.url);
    nowhere.pathname = "/nowhere";
    expect(await run(nowhere.href)).toMatchObject({ code: 75, stderr: expect.stringContaining("does not exist") });
  });
});
