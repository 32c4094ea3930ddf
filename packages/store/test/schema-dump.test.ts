import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

const dump = readFileSync(new URL("../../../drizzle/schema.sql", import.meta.url), "utf8");

let database: TestDatabase;
let admin: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
  admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin?.end();
  await database?.drop();
});

/** What stands between `create table baton.<name> (` and the next table. */
const tableInDump = (name: string): string =>
  dump.split(/^(?=create (?:unlogged )?table )/m).find((part) => part.includes(`table baton.${name} (`)) ?? "";

describe("drizzle/schema.sql, without being generated anew,", () => {
  it("names every table with every column and no other", async () => {
    const { rows } = await admin.query<{ name: string; columns: string[] }>(
      `select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
       from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       where c.relnamespace = 'baton'::regnamespace and c.relkind = 'r' group by 1`,
    );
    expect(
      [...dump.matchAll(/^create (?:unlogged )?table baton\.(\w+)/gm)].map((match) => String(match[1])).sort(),
    ).toEqual(rows.map(({ name }) => name).sort());
    for (const { name, columns } of rows) {
      const listed = [...tableInDump(name).matchAll(/^ {2}(?!constraint )"?(\w+)"? /gm)].map(([, column]) => column);
      expect([name, listed]).toEqual([name, columns]);
    }
  });

  it("has the hash of every function's body", async () => {
    const { rows } = await admin.query<{ name: string; body: string }>(
      `select format('%s.%I', pronamespace::regnamespace, proname) as name, prosrc as body
       from pg_proc where pronamespace in ('baton'::regnamespace, 'baton_client'::regnamespace, 'baton_v1'::regnamespace)`,
    );
    expect(dump.match(/^-- function /gm)).toHaveLength(rows.length);
    for (const { name, body } of rows) {
      const hash = createHash("sha256").update(body).digest("hex");
      expect([name, dump.includes(`body sha256 ${hash}`)]).toEqual([name, true]);
    }
  });

  it("says of every table that row-level security is enabled and forced", () => {
    for (const [, name] of dump.matchAll(/^create (?:unlogged )?table baton\.(\w+)/gm)) {
      expect(dump).toContain(`alter table baton.${name} enable row level security;`);
      expect(dump).toContain(`alter table baton.${name} force row level security;`);
    }
  });
});
