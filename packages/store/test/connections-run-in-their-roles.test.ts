/** Connections and roles; what changes a role runs on a server of its own, because roles belong to the whole server. */
import { defaultTenantId } from "@baton/core";
import { migrate, openStore } from "@baton/store";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import { startTestPostgres } from "@baton/testing/servers";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Connections, openConnections, rowsOf } from "../src/connection/pools.ts";
import { sql } from "../src/connection/sql.ts";
import { newId } from "./builders.ts";
import { startTcpProxy } from "@baton/testing/faults";

let database: TestDatabase;
let admin: pg.Client;
let connections: Connections;
let errors: Error[];
beforeAll(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
  admin = new pg.Client({ connectionString: database.adminUrl });
  admin.on("error", () => undefined);
  await admin.connect();
  errors = [];
  connections = openConnections({
    url: database.url,
    maxConnections: 2,
    applicationName: "roles",
    onError: (error) => errors.push(error),
  });
});
afterAll(async () => {
  await connections?.close();
  await admin?.end();
  await database?.drop();
});

const whoAmI = sql`select current_user::text as role, current_setting('baton.tenant_id', true) as tenant`;
type Identity = { readonly role: string; readonly tenant: string | null };

const opening = (url: string) =>
  openStore({ url, applicationName: "test", newId, onError: () => undefined, onWakeUps: () => undefined });

/** Ends every server process behind the pool. */
const cutPool = () =>
  admin.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'roles'");

describe("a connection", () => {
  it("is baton_engine, and baton_api with its tenant inside a client's transaction only", async () => {
    const engine = { role: "baton_engine" };
    expect((await connections.asEngine((db) => rowsOf<Identity>(db, whoAmI)))[0]).toMatchObject(engine);
    for (let round = 0; round < 3; round++) {
      expect(await connections.api(defaultTenantId, (db) => rowsOf<Identity>(db, whoAmI))).toEqual([
        { role: "baton_api", tenant: defaultTenantId },
      ]);
      const [after] = await connections.engine<Identity>(
        "select current_user::text as role, nullif(current_setting('baton.tenant_id', true), '') as tenant",
      );
      expect(after).toEqual({ role: "baton_engine", tenant: null });
    }
  });

  it("refuses a tenant that is no UUID before it opens a transaction", async () => {
    for (const tenantId of ["", "x'; drop table baton.tenant; --", `${defaultTenantId} `]) {
      await expect(connections.api(tenantId, () => Promise.resolve())).rejects.toMatchObject({
        code: "invalid-request",
      });
    }
  });

  it("rolls back what a client's transaction wrote before it threw, and is used again", async () => {
    const before = await database.rowCounts();
    const refused = connections.api(defaultTenantId, async (db) => {
      await db.execute(sql`insert into baton.chat_thread (tenant_id, thread_id, message_seq, created_at, updated_at)
        values (${defaultTenantId}, 'rolled-back', 0, now(), now())`);
      throw new RangeError("the caller's own");
    });
    await expect(refused).rejects.toThrow("the caller's own");
    expect(await database.rowCounts()).toEqual(before);
    expect(await connections.api(defaultTenantId, (db) => rowsOf(db, sql`select 1 as one`))).toEqual([{ one: 1 }]);
  });

  it("that breaks inside a transaction is store-unavailable and thrown away; the next call has another one", async () => {
    const broken = connections.api(defaultTenantId, async (db) => {
      await db.execute(sql`select 1`);
      await cutPool();
      await db.execute(sql`select 1`);
    });
    await expect(broken).rejects.toMatchObject({ code: "store-unavailable" });
    expect(await connections.api(defaultTenantId, (db) => rowsOf(db, sql`select 1 as one`))).toEqual([{ one: 1 }]);
  });

  it("that breaks while idle is reported, not thrown at the process", async () => {
    await connections.engine("select 1");
    errors.length = 0;
    await cutPool();
    await expect.poll(() => errors.length, { timeout: 30_000 }).toBeGreaterThan(0);
    await expect
      .poll(() => connections.engine("select 1 as one").catch(() => []), { timeout: 30_000 })
      .toEqual([{ one: 1 }]);
  });

  it("that cannot be had is store-unavailable in every way to ask", async () => {
    const proxy = await startTcpProxy(database.url);
    proxy.refuse();
    const away = openConnections({
      url: proxy.url,
      maxConnections: 1,
      applicationName: "away",
      onError: () => undefined,
    });
    const unavailable = { code: "store-unavailable" };
    await expect(away.engine("select 1")).rejects.toMatchObject(unavailable);
    await expect(away.asEngine((db) => db.execute(sql`select 1`))).rejects.toMatchObject(unavailable);
    await expect(away.api(defaultTenantId, () => Promise.resolve())).rejects.toMatchObject(unavailable);
    await expect(opening(proxy.url)).rejects.toMatchObject(unavailable);
    await away.close();
    await proxy.close();
  });
});

describe("a connection that fell silent", () => {
  it("costs one answer in every way to ask, and is replaced", async () => {
    const proxy = await startTcpProxy(database.url);
    const onError = () => undefined;
    const silent = openConnections({
      url: proxy.url,
      maxConnections: 1,
      applicationName: "silent",
      onError,
      answerMs: 300,
    });
    const ways: (() => Promise<unknown>)[] = [
      () => silent.engine("select 1"),
      () => silent.api(defaultTenantId, (db) => db.execute(sql`select 1`)),
    ];
    // Each way has a connection of its own role.
    for (const [earlier, ask] of ways.entries()) {
      await ask();
      expect(proxy.silence()).toBe(earlier + 1);
      await expect(ask()).rejects.toMatchObject({ code: "store-unavailable" });
      await ask();
    }
    await silent.close();
    await proxy.close();
  });

  it("takes the idle ones of its pool along, so that they cost no more answers", async () => {
    const proxy = await startTcpProxy(database.url);
    const onError = () => undefined;
    const silent = openConnections({
      url: proxy.url,
      maxConnections: 4,
      applicationName: "silent",
      onError,
      answerMs: 300,
    });
    await Promise.all(Array.from({ length: 4 }, () => silent.engine("select pg_sleep(0.1)")));
    expect(proxy.silence()).toBe(4);
    await expect(silent.engine("select 1")).rejects.toMatchObject({ code: "store-unavailable" });
    expect(await silent.engine("select 1 as one")).toEqual([{ one: 1 }]);
    await silent.close();
    await proxy.close();
  });

  it("holds a client's locks for no longer than 15 s", async () => {
    const [row] = await connections.engine<{ value: string }>(
      "select current_setting('idle_in_transaction_session_timeout') as value",
    );
    expect(row?.value).toBe("15s");
  });
});

describe("a role that row-level security would not bind", () => {
  it("because it owns a table: the store does not open, and says which role and what to do", async () => {
    const own = await createTestDatabase(inject("postgresUrl"));
    await own.execute("grant create on schema baton to baton_api");
    await own.execute("alter table baton.tenant owner to baton_api");
    await expect(opening(own.url)).rejects.toMatchObject({
      code: "unsafe-role",
      message: expect.stringContaining("baton_api is owner of tenant"),
    });
    await own.drop();
  });

  it.skipIf(Boolean(process.env["BATON_TEST_DATABASE_URL"]))(
    "because it is superuser or has BYPASSRLS: the store does not open; with the advice followed it does",
    async () => {
      const server = await startTestPostgres();
      const client = new pg.Client({ connectionString: server.url });
      client.on("error", () => undefined);
      await client.connect();
      await client.query("create role plain_owner login password 'p' createrole");
      await client.query("create database roles owner plain_owner");
      const url = new URL(server.url);
      url.pathname = "/roles";
      url.username = "plain_owner";
      url.password = "p";
      await migrate(url.href);
      for (const [attribute, danger] of [
        ["superuser", "baton_engine is superuser"],
        ["bypassrls", "baton_engine is BYPASSRLS"],
      ] as const) {
        await client.query(`alter role baton_engine ${attribute}`);
        const refused = await opening(url.href).then(
          () => new Error("opened"),
          (error: Error) => error,
        );
        expect(refused).toMatchObject({ code: "unsafe-role", message: expect.stringContaining(danger) });
        const [advice] = /alter role baton_engine [a-z ]+/.exec(refused.message) ?? [];
        await client.query(advice ?? "");
      }
      const store = await opening(url.href);
      await store.ping();
      await store.close();
      await client.end();
      await server.stop();
    },
  );
});
