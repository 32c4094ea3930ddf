import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { findPostgres, findStack } from "../src/index.ts";
import { readPostmaster } from "../src/postgres/connection.ts";
import { ask, dataFolder, gone, run } from "./running.ts";
import type { Running } from "./running.ts";

const guard = { timeout: 40_000, interval: 20 };

/** The stack, up, with its children's and its server's pids. */
async function up(dataDir: string, ...modes: string[]) {
  const program = run("stack", [dataDir, ...modes]);
  const { url } = await program.fact("url");
  await vi.waitFor(() => expect(lines(program, "up ")).toHaveLength(modes.length), guard);
  const postmaster = (await readPostmaster(dataDir))?.pid ?? 0;
  return { program, url: String(url), postmaster, pids: [...started(program), postmaster] };
}

function lines(program: Running, beginning: string): string[] {
  return program.facts.map((fact) => String(fact["line"] ?? "")).filter((line) => line.startsWith(beginning));
}

function started(program: Running): number[] {
  return program.facts.filter((fact) => fact["kind"] === "started").map((fact) => Number(fact["pid"]));
}

/** Processes that `parents` have started, by proc(5). */
async function childrenOf(...parents: number[]): Promise<number[]> {
  const { readFileSync } = await import("node:fs");
  return parents.flatMap((pid) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number),
  );
}

describe("a stack", () => {
  it("gives its children the database and a pipe, and hides the pipe from theirs", async () => {
    const { program } = await up(await dataFolder(), "plain");
    expect(lines(program, "up")).toEqual(["up true postgres:// undefined"]);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "stops in order on %s and leaves no process, no lock, no state",
    async (signal) => {
      const dataDir = await dataFolder();
      const { program, pids } = await up(dataDir, "polite", "parent");
      const grandchildren = await childrenOf(...started(program));
      expect(grandchildren).toHaveLength(1);
      for (const same of [signal, "SIGINT", "SIGTERM", "SIGHUP"] as const) program.child.kill(same);
      expect(await program.fact("end")).toMatchObject({ end: { reason: "signal" } });
      expect(await program.ended()).toBe(0);
      expect(lines(program, "down in order")).toHaveLength(1);
      await gone(...pids, ...grandchildren);
      expect(existsSync(join(dataDir, "stack.lock"))).toBe(false);
      expect(existsSync(join(dataDir, "stack.json"))).toBe(false);
    },
  );

  it("kills a child that does not leave within the grace", async () => {
    const { program, pids } = await up(await dataFolder(), "stubborn");
    program.child.kill("SIGTERM");
    await program.fact("end");
    expect(program.facts).toContainEqual({ kind: "ended", name: "stubborn-0", code: null, signal: "SIGKILL" });
    await gone(...pids);
  });

  it("leaves no process when it is killed, not even a blocked or a stubborn child, and the next start works", async () => {
    const dataDir = await dataFolder();
    const { program, pids } = await up(dataDir, "plain", "stubborn", "blocked");
    await vi.waitFor(() => expect(lines(program, "blocking")).toHaveLength(1), guard);
    program.child.kill("SIGKILL");
    await gone(...pids);
    expect(await findStack(dataDir)).toBeUndefined();
    const next = await up(dataDir, "plain");
    expect(await ask(next.url, "select 1")).toEqual(["1"]);
    expect(next.program.facts.find((fact) => "url" in fact)).toMatchObject({ attached: false });
  });

  it("starts a crashed child again", async () => {
    const { program } = await up(await dataFolder(), "plain");
    process.kill(started(program)[0] ?? 0, "SIGKILL");
    await vi.waitFor(() => expect(lines(program, "up ")).toHaveLength(2), guard);
    expect(program.facts).toContainEqual({ kind: "restarting", name: "plain-0", inMs: 250 });
  });

  it("ends when a child crashes again and again", async () => {
    const program = run("stack", [await dataFolder(), "crashing", "polite"]);
    expect(await program.fact("end")).toEqual({ end: { reason: "child-gave-up", name: "crashing-0" } });
    expect(started(program)).toHaveLength(7);
    await gone(...started(program));
  });

  it("starts its PostgreSQL again under the same URL when that is killed", async () => {
    const dataDir = await dataFolder();
    const { program, url, postmaster } = await up(dataDir, "plain");
    await ask(url, "create table kept as select 1");
    process.kill(postmaster, "SIGKILL");
    await vi.waitFor(async () => expect((await readPostmaster(dataDir))?.pid).not.toBe(postmaster), guard);
    await vi.waitFor(async () => expect(await ask(url, "select count(*) from kept")).toEqual(["1"]), guard);
    expect(started(program)).toHaveLength(1);
  });
});

describe("a second stack on the same folder", () => {
  it("attaches to the first, starts nothing, and leaves the first alone", async () => {
    const dataDir = await dataFolder();
    const first = await up(dataDir, "plain");
    const second = run("stack", [dataDir, "plain"]);
    expect(await second.fact("url")).toEqual({ url: first.url, attached: true, urls: { api: "http://127.0.0.1:1" } });
    expect(await second.ended()).toBe(0);
    expect(started(second)).toEqual([]);
    expect((await findPostgres(dataDir))?.url).toBe(first.url);
  });

  it("that begins at the same time attaches too", async () => {
    const dataDir = await dataFolder();
    const facts = await Promise.all([1, 2, 3].map(() => run("stack", [dataDir, "plain"]).fact("url")));
    expect(facts.filter((fact) => fact["attached"] === false)).toHaveLength(1);
    expect(new Set(facts.map((fact) => fact["url"])).size).toBe(1);
  });

  it("takes over a lock and a state that a killed one, or a power cut, has left", async () => {
    const dataDir = await dataFolder();
    const first = await up(dataDir, "plain");
    first.program.child.kill("SIGKILL");
    await gone(...first.pids);
    await writeFile(join(dataDir, "stack.json"), "");
    await writeFile(join(dataDir, "stack.lock"), "");
    const second = await up(dataDir, "plain");
    expect(await second.program.fact("url")).toMatchObject({ attached: false, url: first.url });
  });
});
