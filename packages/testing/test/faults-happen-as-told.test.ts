import { connect } from "node:net";
import {
  killRedisClients,
  loseRedis,
  startFaultyPostgres,
  startTcpProxy,
  terminateBackends,
  type TcpProxy,
} from "@baton/testing/faults";
import { type TestRedis, startTestRedis } from "@baton/testing/servers";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";

const patience = { timeout: 30_000 };
const clients: pg.Client[] = [];
let proxy: TcpProxy;
let direct: pg.Client;

async function open(url: string, name = "test"): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: name });
  client.on("error", () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

const left = (client: pg.Client) => new Promise<void>((resolve) => client.once("end", resolve));
const rowsKept = async () =>
  (await direct.query<{ n: number }>("select n from kept order by n")).rows.map(({ n }) => n);

beforeAll(async () => {
  direct = await open(inject("postgresUrl"), "direct");
  await direct.query("create table kept (n int)");
});

beforeEach(async () => {
  await direct.query("truncate kept");
  proxy = await startTcpProxy(inject("postgresUrl"));
});

afterEach(async () => {
  await proxy.close();
});

afterAll(async () => {
  await direct.query("drop table kept");
  await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
});

describe("a reply is lost", () => {
  const insert = /insert into kept/;

  it("after the commit of exactly the statement that was named", async () => {
    const client = await open(proxy.url);
    proxy.lose({ statement: insert, what: "reply", by: "reset", times: 1 });
    await client.query("select 1");
    await expect(client.query("insert into kept values ($1)", [1])).rejects.toThrow();
    expect(await rowsKept()).toEqual([1]);
    const next = await open(proxy.url);
    await next.query("insert into kept values ($1)", [2]);
    expect(await rowsKept()).toEqual([1, 2]);
    expect(proxy.counts).toMatchObject({ repliesLost: 1, requestsLost: 0 });
  });

  it("with all its rows, also when it is longer than the server's buffer", async () => {
    const client = await open(proxy.url);
    proxy.lose({ statement: /generate_series/, what: "reply", by: "reset", times: 1 });
    const rows: unknown[] = [];
    const query = new pg.Query("select repeat('x', 1000) as x from generate_series(1, 2000)");
    query.on("row", (row) => rows.push(row));
    query.on("error", () => undefined);
    client.query(query);
    await left(client);
    expect(rows).toEqual([]);
  });

  it("of a prepared statement, too", async () => {
    const client = await open(proxy.url);
    const run = (n: number) => client.query({ name: "keep", text: "insert into kept values ($1)", values: [n] });
    await run(1);
    proxy.lose({ statement: insert, what: "reply", by: "reset", times: 1 });
    await expect(run(2)).rejects.toThrow();
    expect(await rowsKept()).toEqual([1, 2]);
  });

  it("at the commit of the transaction that the statement stands in", async () => {
    const client = await open(proxy.url);
    proxy.lose({ statement: insert, what: "reply", by: "reset", times: 1 });
    await client.query("begin");
    expect((await client.query("insert into kept values ($1) returning n", [1])).rows).toEqual([{ n: 1 }]);
    await expect(client.query("commit")).rejects.toThrow();
    expect(await rowsKept()).toEqual([1]);
  });

  it("never when it says that nothing was done", async () => {
    const client = await open(proxy.url);
    proxy.lose({ statement: insert, what: "reply", by: "reset", times: 1 });
    await expect(client.query("insert into kept values ('none')")).rejects.toMatchObject({ code: "22P02" });
    await client.query("begin");
    await client.query("insert into kept values ($1)", [1]);
    await client.query("rollback");
    await client.query("begin");
    await client.query("insert into kept values ($1)", [1]);
    await expect(client.query("select 1 / 0")).rejects.toMatchObject({ code: "22012" });
    await client.query("commit");
    expect(proxy.counts.repliesLost).toBe(0);
    expect(await rowsKept()).toEqual([]);
  });

  it("on the chosen connections, every n-th time, as often as the plan says", async () => {
    const [spared, chosen] = [await open(proxy.url, "spared"), await open(proxy.url, "chosen")];
    const select = ({ label }: { readonly label: string }) => label === "chosen";
    proxy.lose({ statement: insert, what: "reply", by: "reset", times: 1, every: 2, select });
    for (const n of [1, 2]) await spared.query("insert into kept values ($1)", [n]);
    await chosen.query("insert into kept values ($1)", [3]);
    await expect(chosen.query("insert into kept values ($1)", [4])).rejects.toThrow();
    expect(await rowsKept()).toEqual([1, 2, 3, 4]);
  });

  it("without a word to either side, when the plan says silence", async () => {
    const client = await open(proxy.url);
    proxy.lose({ statement: insert, what: "reply", by: "silence", times: 1 });
    await expect(
      client.query({ text: "insert into kept values (1)", query_timeout: 200 } as pg.QueryConfig),
    ).rejects.toThrow(/timeout/i);
    expect(await rowsKept()).toEqual([1]);
  });
});

it("a request that is lost is never heard by the server", async () => {
  const client = await open(proxy.url);
  proxy.lose({ statement: /insert into kept/, what: "request", by: "reset", times: 1 });
  await expect(client.query("insert into kept values ($1)", [1])).rejects.toThrow();
  expect(await rowsKept()).toEqual([]);
  expect(proxy.counts).toMatchObject({ repliesLost: 0, requestsLost: 1 });
});

it("a reply is cut after the n-th byte", async () => {
  const port = Number(new URL(proxy.url).port);
  const received = async (bytes: number): Promise<number> => {
    const socket = connect(port, "127.0.0.1");
    await expect.poll(() => proxy.openCount, patience).toBe(1);
    proxy.cutRepliesAfter(bytes);
    // Protocol 0.0 is refused with a message of some 150 bytes.
    socket.write(Buffer.from([0, 0, 0, 8, 0, 0, 0, 0]));
    let length = 0;
    socket.on("data", (chunk) => (length += chunk.length));
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("close", resolve));
    return length;
  };
  expect(await received(1)).toBe(1);
  expect(await received(7)).toBe(7);
});

it("a silenced connection stays open on the server, and a cut one does not", async () => {
  const pidOf = async (client: pg.Client) =>
    (await client.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid;
  const serverHas = async (pid: number | undefined) =>
    (await direct.query("select from pg_stat_activity where pid = $1", [pid])).rowCount;
  const silenced = await open(proxy.url, "silenced");
  const cut = await open(proxy.url, "cut");
  const [silencedPid, cutPid] = [await pidOf(silenced), await pidOf(cut)];
  expect(proxy.silence(({ label }) => label === "silenced")).toBe(1);
  await expect(silenced.query({ text: "select 1", query_timeout: 200 } as pg.QueryConfig)).rejects.toThrow(/timeout/i);
  await silenced.end();
  expect(proxy.cut(({ label }) => label === "cut", "reset")).toBe(1);
  await expect.poll(() => serverHas(cutPid), patience).toBe(0);
  expect(await serverHas(silencedPid)).toBe(1);
  expect(proxy.openCount).toBe(0);
  expect(proxy.counts.bytesDropped).toBeGreaterThan(0);
});

it("what a partition holds back arrives after it, in order, and who comes meanwhile waits", async () => {
  const client = await open(proxy.url);
  proxy.partition();
  const stalled = client.query("insert into kept values ($1)", [1]);
  const coming = open(proxy.url);
  await expect.poll(() => proxy.counts.swallowed, patience).toBe(1);
  expect(await rowsKept()).toEqual([]);
  proxy.admit();
  await Promise.all([stalled, coming]);
  expect(await rowsKept()).toEqual([1]);
});

it("a delay concerns every byte and changes none", async () => {
  const client = await open(proxy.url);
  proxy.delay(100);
  const startedAt = performance.now();
  const { rows } = await client.query("select n from generate_series(1, 5000) as n");
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(200);
  expect(rows).toHaveLength(5000);
});

it("a refusing proxy looks like a server that is down, until it admits again", async () => {
  const client = await open(proxy.url);
  const ended = left(client);
  proxy.refuse();
  await ended;
  await expect(open(proxy.url)).rejects.toThrow();
  expect(proxy.counts).toMatchObject({ cut: 1, refused: 1 });
  proxy.admit();
  await open(proxy.url);
});

it("sessions of one name are terminated, the others live on", async () => {
  const [named, other] = [await open(inject("postgresUrl"), "baton-x"), await open(inject("postgresUrl"), "another")];
  const ended = left(named);
  expect(await terminateBackends(inject("postgresUrl"), "baton-%")).toBe(1);
  await ended;
  await other.query("select 1");
});

it("a crashed PostgreSQL comes back at the same address with what was committed", async () => {
  const server = await startFaultyPostgres();
  try {
    const before = await open(server.url);
    await before.query("create table kept (n int)");
    await before.query("insert into kept select generate_series(1, 100)");
    const ended = left(before);
    await server.crash();
    await ended;
    await expect(open(server.url)).rejects.toThrow();
    await server.start();
    const after = await open(server.url);
    expect((await after.query("select from kept")).rowCount).toBe(100);
    await after.end();
  } finally {
    await server.close();
  }
});

const redis = await startTestRedis();
const title = `a Redis for tests${"unavailable" in redis ? ` [skipped: ${redis.unavailable}]` : ""}`;
describe.skipIf("unavailable" in redis)(title, () => {
  const server = redis as TestRedis;
  afterAll(() => server.close());

  /** What the server answers to the commands, in one connection that stays open. */
  function talk(url: string) {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => (answer += String(chunk)));
    socket.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const send = async (text: string, expected: string) => {
      answer = "";
      socket.write(text);
      await expect.poll(() => answer, patience).toContain(expected);
    };
    return { send, closed, end: () => socket.destroy() };
  }

  it("is lost with everything in it, and comes back empty at the same address", async () => {
    const before = talk(server.url);
    await before.send("SET a 1\r\n", "+OK");
    await loseRedis(server, 50);
    await before.closed;
    const after = talk(server.url);
    await after.send("EXISTS a\r\n", ":0");
    after.end();
  });

  it("closes all its clients when told", async () => {
    const client = talk(server.url);
    await client.send("PING\r\n", "+PONG");
    expect(await killRedisClients(server)).toBeGreaterThan(0);
    await client.closed;
  });

  it("seen through a proxy, its connections are told apart by what they are used for", async () => {
    const through = await startTcpProxy(server.url);
    const command = (...words: string[]) =>
      `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
    const [asking, waiting] = [talk(through.url), talk(through.url)];
    await asking.send(command("PING"), "+PONG");
    await waiting.send(command("PING") + command("BZPOPMIN", "queue", "60"), "+PONG");
    expect(through.links.map(({ label }) => label).sort()).toEqual(["blocking", "commands"]);
    await through.close();
    await Promise.all([asking.closed, waiting.closed]);
  });
});
