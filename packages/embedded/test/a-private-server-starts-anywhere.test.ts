import { chmod, chown, mkdir, stat, writeFile } from "node:fs/promises";
import { accessSync, constants, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { findPostgres, startPostgres } from "../src/index.ts";
import { nativeFolder } from "../src/postgres/binaries.ts";
import { ask, dataFolder, run } from "./running.ts";

const settingsOf = (url: string) =>
  ask(
    url,
    `select current_setting('fsync'), current_setting('listen_addresses'), current_setting('unix_socket_directories'),
            pg_encoding_to_char(encoding), datlocprovider, datlocale, current_setting('max_connections')
       from pg_database where datname = current_database()`,
  );

/** Whether another user may walk to that file. */
function openToAll(path: string): boolean {
  for (let folder = dirname(realpathSync(path)); ; folder = dirname(folder)) {
    try {
      accessSync(folder, constants.X_OK);
    } catch {
      return false;
    }
    if (folder === dirname(folder)) return true;
  }
}

describe("a private PostgreSQL", () => {
  it("is UTF-8, on loopback alone, without a socket, and flushes to the disk unless told otherwise", async () => {
    const [kept, thrown] = await Promise.all(
      [true, false].map(async (durable) => await startPostgres({ dataDir: await dataFolder(), durable })),
    );
    const rest = ["127.0.0.1", "", "UTF8", "b", "C.UTF-8", "200"];
    expect(await settingsOf(kept?.url ?? "")).toEqual(["on", ...rest]);
    expect(await settingsOf(thrown?.url ?? "")).toEqual(["off", ...rest]);
    expect(kept?.port).not.toBe(thrown?.port);
    await Promise.all([kept?.stop(), thrown?.stop()]);
  });

  it("keeps its data, its port and its password over a restart", async () => {
    const dataDir = await dataFolder();
    const first = await startPostgres({ dataDir, durable: false });
    await ask(first.url, "create table kept as select 7 as number");
    await first.stop();
    expect(await findPostgres(dataDir)).toBeUndefined();
    const second = await startPostgres({ dataDir, durable: false });
    expect(await ask(second.url, "select number from kept")).toEqual(["7"]);
    expect(second.url).toBe(first.url);
    await second.stop();
  });

  it("shows its password to its owner only, and lets nobody in without it", async () => {
    const dataDir = await dataFolder();
    const server = await startPostgres({ dataDir, durable: false });
    expect((await stat(join(dataDir, "postgres.json"))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir, "postgres"))).mode & 0o777).toBe(0o700);
    const wrong = new URL(server.url);
    wrong.password = "guess";
    await expect(ask(wrong.href, "select 1")).rejects.toThrow(/password authentication failed/);
    await server.stop();
  });

  it("starts below a folder that nobody else may enter, on a path of over 200 characters with a space and an umlaut", async () => {
    const dataDir = await dataFolder("zu Hause bei Müller", "x".repeat(100), "y".repeat(100), "data");
    await mkdir(dataDir, { recursive: true });
    await chmod(join(dataDir, "..", "..", ".."), 0o700);
    const server = await startPostgres({ dataDir, durable: false });
    expect(await ask(server.url, "select 1")).toEqual(["1"]);
    expect(await stat(join(dataDir, "postgres", "PG_VERSION"))).toBeTruthy();
    await server.stop();
  });

  it("serves two that start it at the same time with one server", async () => {
    const dataDir = await dataFolder();
    const both = await Promise.all([1, 2].map(() => startPostgres({ dataDir, durable: false })));
    expect(both.filter((server) => server.attached)).toHaveLength(1);
    expect(new Set(both.map((server) => server.url)).size).toBe(1);
    const attached = both.find((server) => server.attached);
    await attached?.stop();
    expect(await ask(attached?.url ?? "", "select 1")).toEqual(["1"]);
    await both.find((server) => !server.attached)?.stop();
  });

  it("gives two processes on one folder one server, and makes the cluster once", async () => {
    const dataDir = await dataFolder();
    const facts = await Promise.all([1, 2, 3].map(() => run("postgres", [dataDir]).fact("url")));
    expect(facts.filter((fact) => fact["attached"] === false)).toHaveLength(1);
    expect(new Set(facts.map((fact) => fact["url"])).size).toBe(1);
  });
});

describe("an ordinary user", () => {
  const path = fileURLToPath(new URL("./programs/postgres.ts", import.meta.url));
  const isRoot = process.getuid?.() === 0;
  const open = openToAll(path) && openToAll(process.execPath);
  const why = isRoot
    ? open
      ? ""
      : "the checkout is closed to other users"
    : "only root can start a process as another user";

  it("has a private PostgreSQL too", async ({ skip }) => {
    skip(why !== "", why);
    const dataDir = await dataFolder("daten ä");
    const home = dirname(dataDir);
    await mkdir(dataDir);
    for (const folder of [home, dataDir]) await chown(folder, 12_345, 12_345);
    const program = run("postgres", [dataDir], { uid: 12_345, env: { HOME: home } });
    const { url } = await program.fact("url");
    expect(await ask(String(url), "select 1")).toEqual(["1"]);
    expect((await stat(join(dataDir, "postgres"))).uid).toBe(12_345);
    program.child.kill("SIGKILL");
    await program.ended();
  });

  it("needs no writable home", async ({ skip }) => {
    skip(why !== "", why);
    const dataDir = await dataFolder("data");
    await mkdir(dataDir);
    await chown(dataDir, 12_346, 12_346);
    await chmod(dirname(dataDir), 0o755);
    const program = run("postgres", [dataDir], { uid: 12_346, env: { HOME: "/nowhere" } });
    expect(await program.fact("url")).toMatchObject({ attached: false });
  });

  it("is told whose folder it is that belongs to somebody else", async ({ skip }) => {
    skip(why !== "", why);
    const dataDir = await dataFolder("data");
    await (await startPostgres({ dataDir, durable: false })).stop();
    await chmod(dirname(dataDir), 0o755);
    await chown(dataDir, 12_345, 12_345);
    await chown(join(dataDir, "postgres.json"), 12_345, 12_345);
    const program = run("postgres", [dataDir], { uid: 12_345, env: { HOME: dataDir } });
    expect(await program.ended()).toBe(1);
    expect(program.errors).toMatch(/belongs to uid 65534, and this process runs as uid 12345/);
  });
});

describe("a start that cannot succeed", () => {
  it("says so with the server's own words", async () => {
    const settings = { shared_buffers: "nonsense" };
    const start = startPostgres({ dataDir: await dataFolder(), durable: false, settings });
    await expect(start).rejects.toMatchObject({
      code: "embedded-failed",
      message: expect.stringMatching(/invalid value.*shared_buffers/),
    });
  });

  it("says that the password file is missing, and what to do", async () => {
    const dataDir = await dataFolder();
    await mkdir(join(dataDir, "postgres"));
    await writeFile(join(dataDir, "postgres", "PG_VERSION"), "18\n");
    await expect(startPostgres({ dataDir, durable: false })).rejects.toThrow(
      /postgres\.json.*is missing\. Restore it, or delete/,
    );
  });

  it("names DATABASE_URL on a platform without binaries", () => {
    expect(() => nativeFolder("sunos-x64")).toThrow(/no private PostgreSQL for sunos-x64.*Set DATABASE_URL/);
  });
});
