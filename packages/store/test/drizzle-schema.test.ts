import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import * as agents from "../src/schema/agents.ts";
import * as artifacts from "../src/schema/artifacts.ts";
import * as budgets from "../src/schema/budgets.ts";
import * as chat from "../src/schema/chat.ts";
import * as children from "../src/schema/children.ts";
import * as effects from "../src/schema/effects.ts";
import * as idempotency from "../src/schema/idempotency.ts";
import * as mcp from "../src/schema/mcp.ts";
import * as notes from "../src/schema/notes.ts";
import * as questions from "../src/schema/questions.ts";
import * as sessions from "../src/schema/sessions.ts";
import * as steps from "../src/schema/steps.ts";
import * as tasks from "../src/schema/tasks.ts";
import * as tenancy from "../src/schema/tenancy.ts";
import * as traces from "../src/schema/traces.ts";

/** Written and read by their verbs' SQL alone. */
const withoutBuilder = ["installation", "live_message", "provider_gate", "rate_limit"];

const rooms = [
  agents,
  artifacts,
  budgets,
  chat,
  children,
  effects,
  idempotency,
  mcp,
  notes,
  questions,
  sessions,
  steps,
  tasks,
  tenancy,
  traces,
];
const tables = rooms.flatMap((room) => Object.values(room).filter((value) => value instanceof PgTable));

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

describe("the schema as drizzle sees it", () => {
  it("has every table of the schema baton", async () => {
    const { rows } = await admin.query<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'baton'",
    );
    const present = rows.map(({ name }) => name).filter((name) => !withoutBuilder.includes(name));
    expect(tables.map((table) => getTableConfig(table).name).sort()).toEqual(present.sort());
  });

  it.each(tables.map((table) => [getTableConfig(table).name, table] as const))(
    "equals the migrations' %s: columns, types, nullability, order, and the primary key",
    async (name, table) => {
      const { columns, primaryKeys } = getTableConfig(table);
      const { rows } = await admin.query<{ name: string; type: string; nullable: boolean }>(
        `select c.column_name as name, format_type(a.atttypid, a.atttypmod) as type, c.is_nullable = 'YES' as nullable
         from information_schema.columns c
         join pg_attribute a on a.attrelid = format('baton.%I', c.table_name)::regclass and a.attname = c.column_name
         where c.table_schema = 'baton' and c.table_name = $1 order by c.ordinal_position`,
        [name],
      );
      const declared = columns.map((column) => ({
        name: column.name,
        type: column.getSQLType(),
        nullable: !column.notNull,
      }));
      expect(declared).toEqual(rows);

      const key = await admin.query<{ column: string }>(
        `select a.attname as column from pg_index i
         cross join lateral unnest(i.indkey) with ordinality as k(attnum, n)
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
         where i.indrelid = format('baton.%I', $1::text)::regclass and i.indisprimary order by k.n`,
        [name],
      );
      const declaredKey = [
        ...primaryKeys.flatMap((each) => each.columns.map((column) => column.name)),
        ...columns.filter((column) => column.primary).map((column) => column.name),
      ];
      expect(declaredKey).toEqual(key.rows.map(({ column }) => column));
    },
  );
});
