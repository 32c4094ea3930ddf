/** Migrations, on a server of their own: the roles they make belong to the whole server. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { migrate, openStore } from "@baton/store";
import { startTestPostgres, type TestPostgres } from "@baton/testing/servers";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "./builders.ts";

let server: TestPostgres;
let admin: pg.Client;
beforeAll(async () => {
  server = await startTestPostgres();
  admin = new pg.Client({ connectionString: server.url });
  admin.on("error", () => undefined);
  await admin.connect();
});
afterAll(async () => {
  for (const name of made) {
    await admin.query(`drop database ${name} with (force)`);
    await admin.query(`drop role ${name}`);
  }
  await admin?.end();
  await server?.stop();
});

/** Where all tests share one given server, it has the roles already. */
const isGiven = Boolean(process.env["BATON_TEST_DATABASE_URL"]);
const made: string[] = [];

/** A login without a privilege of its own, and an empty database that it owns. */
async function emptyDatabase(name: string): Promise<string> {
  made.push(name);
  await admin.query(`create role ${name} login password '${name}' nocreaterole`);
  await admin.query(`create database ${name} owner ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  url.username = name;
  url.password = name;
  return url.href;
}

const refusal = async (url: string): Promise<{ code?: string; message: string }> =>
  migrate(url).then(
    () => ({ message: "migrated" }),
    (error: Error) => error,
  );

async function opens(url: string): Promise<boolean> {
  const store = await openStore({
    url,
    applicationName: "test",
    newId,
    onError: () => undefined,
    onWakeUps: () => undefined,
  });
  await store.ping();
  await store.close();
  return true;
}

describe("a login that may not create roles", () => {
  it.skipIf(isGiven)(
    "is told which ones to create and to grant; with them it migrates, and owns what it made",
    async () => {
      const url = await emptyDatabase("plain");
      const refused = await refusal(url);
      expect(refused.code).toBe("unsafe-role");
      expect(refused.message).toContain(
        "the roles baton_engine and baton_api are missing and plain may not create them",
      );
      const [advice] = /create role baton_engine.*;/.exec(refused.message) ?? [];
      expect(advice).toBe(
        "create role baton_engine nologin; create role baton_api nologin; grant baton_engine, baton_api to plain;",
      );
      await admin.query(advice ?? "");
      expect(await migrate(url)).toEqual({ changed: true });
      expect(await opens(url)).toBe(true);
    },
  );

  it("is told what to grant where the roles are there and it may not act as them", async () => {
    const url = await emptyDatabase("stranger");
    const refused = await refusal(url);
    expect(refused.code).toBe("unsafe-role");
    const [advice] = /grant baton_engine.*;/.exec(refused.message) ?? [];
    expect(advice).toBe("grant baton_engine, baton_api to stranger;");
    await admin.query(advice ?? "");
    expect(await migrate(url)).toEqual({ changed: true });
    expect(await opens(url)).toBe(true);
  });

  it("that was refused has left nothing behind", async () => {
    const url = await emptyDatabase("refused");
    expect((await refusal(url)).code).toBe("unsafe-role");
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query("select from pg_namespace where nspname in ('baton', 'baton_v1')");
    await client.end();
    expect(rows).toEqual([]);
  });
});

describe("twenty processes at once", () => {
  it("migrate one empty database: one changes it, the others find nothing to do, and none fails", async () => {
    const url = await emptyDatabase("crowd");
    await admin.query("grant baton_engine, baton_api to crowd");
    const program = `
      const { migrate } = await import(${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)});
      console.log(JSON.stringify(await migrate(${JSON.stringify(url)})));`;
    const processes = Array.from({ length: 20 }, () =>
      promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]),
    );
    const answers = (await Promise.all(processes)).map(({ stdout }) => JSON.parse(stdout) as { changed: boolean });
    expect(answers).toHaveLength(20);
    expect(answers.filter(({ changed }) => changed)).toHaveLength(1);
    expect(await migrate(url)).toEqual({ changed: false });
    expect(await opens(url)).toBe(true);
  });

  it.skipIf(isGiven)("make the roles of a new server while they migrate a database each, and none fails", async () => {
    const own = await startTestPostgres();
    const client = new pg.Client({ connectionString: own.url });
    await client.connect();
    const names = Array.from({ length: 8 }, (_, index) => `fresh_${index}`);
    for (const name of names) await client.query(`create database ${name}`);
    await client.end();
    const changes = await Promise.all(
      names.map((name) => {
        const url = new URL(own.url);
        url.pathname = `/${name}`;
        return migrate(url.href);
      }),
    );
    await own.stop();
    expect(changes).toEqual(names.map(() => ({ changed: true })));
  });
});

describe("a database that is up to date", () => {
  /** A database of its own, up to date, and what a migration does to it and to one of its verbs. */
  async function current(name: string) {
    const url = await emptyDatabase(name);
    await admin.query(`grant baton_engine, baton_api to ${name}`);
    expect(await migrate(url)).toEqual({ changed: true });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const one = async <Value>(select: string): Promise<Value> =>
      (await client.query<{ value: Value }>(`select ${select} as value`)).rows[0]?.value as Value;
    const oid = () => one<number>("'baton_v1.reap()'::regprocedure::oid");
    /** What another version left behind: the same types, or others. */
    const mark = async (types: "same" | "other"): Promise<void> => {
      const found = await one<string>("obj_description('baton_v1'::regnamespace, 'pg_namespace')");
      const other = types === "same" ? found.replace(/^verbs \w+/, "verbs another") : "verbs another, types another";
      await client.query(`comment on schema baton_v1 is '${other}'`);
    };
    return { url, client, oid, one, mark };
  }

  it("is not touched", async () => {
    const { url, client, oid } = await current("untouched");
    const before = await oid();
    expect(await migrate(url)).toEqual({ changed: false });
    expect(await oid()).toEqual(before);
    await client.end();
  });

  it("gets verbs of another text in place, and loses those that are no more", async () => {
    const { url, client, oid, one, mark } = await current("in_place");
    const before = await oid();
    await client.query(`
      create function baton_v1.forgotten() returns int language sql as 'select 1';
      create or replace function baton_v1.reap() returns jsonb language sql as $$ select '{"of": "another version"}'::jsonb $$`);
    await mark("same");
    expect(await migrate(url)).toEqual({ changed: true });
    expect(await oid()).toEqual(before);
    expect(await one("baton_v1.reap()")).toEqual({ sessions: 0, steps: 0, deadLetters: 0 });
    expect(await one("to_regproc('baton_v1.forgotten')")).toBeNull();
    expect(await migrate(url)).toEqual({ changed: false });
    await client.end();
    expect(await opens(url)).toBe(true);
  });

  it.each([
    ["types", "other", "select 1"],
    [
      "results",
      "same",
      "drop function baton_v1.reap(); create function baton_v1.reap() returns int language sql as 'select 1'",
    ],
  ] as const)("gets verbs of other %s anew", async (what, types, before) => {
    const { url, client, oid, one, mark } = await current(`anew_${what}`);
    await client.query(before);
    const old = await oid();
    await mark(types);
    expect(await migrate(url)).toEqual({ changed: true });
    expect(await oid()).not.toEqual(old);
    expect(await one("baton_v1.reap()")).toEqual({ sessions: 0, steps: 0, deadLetters: 0 });
    await client.end();
    expect(await opens(url)).toBe(true);
  });

  it("loses no call of a worker while it gets its verbs in place", async () => {
    const { url, client, mark } = await current("under_load");
    let isOver = false;
    let calls = 0;
    const call = async (): Promise<void> => {
      const worker = new pg.Client({ connectionString: url });
      await worker.connect();
      while (!isOver) {
        await worker.query({ name: "reap", text: "select baton_v1.reap()" });
        await worker.query("select baton_v1.settle('[]', '[]', gen_random_uuid(), gen_random_uuid(), 0, false)");
        calls += 1;
      }
      await worker.end();
    };
    const install = async (): Promise<void> => {
      for (let round = 0; round < 20; round++) {
        await mark("same");
        expect(await migrate(url)).toEqual({ changed: true });
      }
    };
    await Promise.all([install().finally(() => (isOver = true)), ...Array.from({ length: 4 }, call)]);
    expect(calls).toBeGreaterThan(20);
    await client.end();
  });
});

describe("a database", () => {
  it("that was never migrated is refused with what to run", async () => {
    const url = await emptyDatabase("never");
    await expect(opens(url)).rejects.toMatchObject({
      code: "store-unavailable",
      message: expect.stringContaining("npm run db:migrate"),
    });
  });

  it("that does not exist is named as such", async () => {
    const url = new URL(server.url);
    url.pathname = "/nowhere";
    await expect(migrate(url.href)).rejects.toMatchObject({
      code: "store-unavailable",
      message: expect.stringContaining("DATABASE_URL names a database that does not exist"),
    });
  });
});

describe("the folder of migrations", () => {
  it("numbers its files without a gap, names them all in the journal, in the order they are applied", () => {
    const folder = new URL("../../../drizzle/", import.meta.url);
    const journal = JSON.parse(readFileSync(new URL("meta/_journal.json", folder), "utf8")) as {
      entries: { idx: number; tag: string; when: number }[];
    };
    const files = readdirSync(folder).filter((name) => /^\d{4}_.*\.sql$/.test(name));
    expect(journal.entries.map(({ tag }) => `${tag}.sql`)).toEqual(files.sort());
    journal.entries.forEach(({ idx, tag, when }, index) => {
      expect([idx, tag.slice(0, 4)]).toEqual([index, String(index).padStart(4, "0")]);
      // drizzle applies what is newer than the newest applied: an entry out of order is never applied.
      expect(when).toBeGreaterThan(journal.entries[index - 1]?.when ?? 0);
    });
  });
});
