import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { type Listener, openListener } from "../src/connection/listener.ts";
import { startTcpProxy, type TcpProxy } from "@baton/testing/faults";

const patience = { timeout: 30_000 };

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

let proxy: TcpProxy;
let listener: Listener;
let errors: Error[];
beforeEach(async () => {
  proxy = await startTcpProxy(database.url);
  errors = [];
  listener = openListener({
    url: proxy.url,
    applicationName: "test",
    onError: (error) => errors.push(error),
    probeMs: 300,
  });
});
afterEach(async () => {
  await listener.close();
  await proxy.close();
});

const notify = (channel: string, payload: string) => admin.query("select pg_notify($1, $2)", [channel, payload]);

/** A subscriber that writes down what it hears. */
async function subscribe(channel: string) {
  const heard: string[] = [];
  const subscription = await listener.listen(channel, {
    onPayload: (payload) => heard.push(payload),
    onLost: () => heard.push("LOST"),
    onBack: () => heard.push("BACK"),
  });
  return { heard, close: () => subscription.close() };
}

/** After it said that it is back, nothing is missed. */
async function hearsAgain(heard: readonly string[], channel: string): Promise<void> {
  await expect.poll(() => heard.at(-1), patience).toBe("BACK");
  await notify(channel, "after");
  await expect.poll(() => heard.at(-1), patience).toBe("after");
}

describe("the one connection that listens", () => {
  it("gives every subscriber the payloads of its channel, over one connection", async () => {
    const [one, other, same] = await Promise.all([subscribe("one"), subscribe("other"), subscribe("one")]);
    const later = await subscribe('quo"ted');
    await notify("one", "a");
    await notify("other", "b");
    await notify('quo"ted', "");
    await expect
      .poll(() => [one.heard, other.heard, same.heard, later.heard], patience)
      .toEqual([["a"], ["b"], ["a"], [""]]);
    expect(proxy.openCount).toBe(1);
    await same.close();
    await notify("one", "c");
    await expect.poll(() => one.heard, patience).toEqual(["a", "c"]);
    expect(same.heard).toEqual(["a"]);
  });

  it("that is cut says so before it says that it is back, and then hears again on every channel", async () => {
    const one = await subscribe("one");
    const other = await subscribe("other");
    proxy.cut();
    await hearsAgain(one.heard, "one");
    await hearsAgain(other.heard, "other");
    expect(one.heard).toEqual(["LOST", "BACK", "after"]);
    expect(other.heard).toEqual(["LOST", "BACK", "after"]);
  });

  it("that is turned away tries again until it is let in, and reports each failure", async () => {
    const { heard } = await subscribe("one");
    proxy.refuse();
    const failures = () => errors.filter(({ message }) => /terminated|ECONN/i.test(message)).length;
    await expect.poll(failures, patience).toBeGreaterThan(3);
    expect(heard).toEqual(["LOST"]);
    proxy.admit();
    await hearsAgain(heard, "one");
  });

  it("that is half open is found out by the probe, given up, and replaced", async () => {
    const { heard } = await subscribe("one");
    proxy.silence();
    await hearsAgain(heard, "one");
    expect(heard).toEqual(["LOST", "BACK", "after"]);
    expect(errors.some(({ message }) => /timeout/i.test(message))).toBe(true);
    await expect.poll(() => proxy.openCount, patience).toBe(1);
  });

  it("is not opened again for nobody, and not after it was closed", async () => {
    const one = await subscribe("one");
    await one.close();
    proxy.refuse();
    await expect.poll(() => proxy.openCount, patience).toBe(0);
    proxy.admit();
    await subscribe("two");
    await listener.close();
    await expect.poll(() => proxy.openCount, patience).toBe(0);
  });

  it("closed while it comes back leaves no connection behind", async () => {
    const { heard } = await subscribe("one");
    proxy.cut();
    await expect.poll(() => heard, patience).toContain("LOST");
    await expect.poll(() => proxy.openCount, patience).toBe(1);
    await listener.close();
    await expect.poll(() => proxy.openCount, patience).toBe(0);
  });

  it("rejects the first subscriber when there is no server, and keeps none of it", async () => {
    proxy.refuse();
    await expect(subscribe("one")).rejects.toThrow();
    proxy.admit();
    const later = await subscribe("two");
    await notify("two", "here");
    await expect.poll(() => later.heard, patience).toEqual(["here"]);
  });
});
