import { spawnSync } from "node:child_process";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { identityOf, isAlive, ownIdentity } from "../src/lifetime/identity.ts";
import { tryLock, withLock } from "../src/lifetime/lock.ts";
import { dataFolder, run } from "./running.ts";

async function lockFolder(): Promise<string> {
  const folder = await dataFolder("locks");
  await mkdir(folder);
  return folder;
}

it("never has two, among processes that find a void one again and again", async () => {
  const folder = await lockFolder();
  await writeFile(join(folder, "count"), "0");
  await writeFile(join(folder, "lock"), JSON.stringify({ pid: spawnSync("true").pid, born: "long ago" }));
  const programs = Array.from({ length: 6 }, () => run("counter", [folder, "40"]));
  expect(await Promise.all(programs.map((program) => program.ended()))).toEqual([0, 0, 0, 0, 0, 0]);
  expect(await readFile(join(folder, "count"), "utf8")).toBe("240");
  expect((await readdir(folder)).sort()).toEqual(["count", "lock"]);
});

it("is refused with its holder's identity, and free again after release", async () => {
  const path = join(await lockFolder(), "lock");
  const lock = await tryLock(path);
  expect(await tryLock(path)).toEqual(ownIdentity());
  await expect(withLock(path, 50, async () => undefined)).rejects.toThrow(/has been held by process \d+/);
  if ("release" in lock) await lock.release();
  expect(await tryLock(path)).toHaveProperty("release");
});

it("is released when the work under it fails", async () => {
  const path = join(await lockFolder(), "lock");
  await expect(withLock(path, 0, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(await tryLock(path)).toHaveProperty("release");
});

it("of a process whose pid has been reused is void", () => {
  expect(isAlive(ownIdentity())).toBe(true);
  expect(isAlive({ ...ownIdentity(), born: "before" })).toBe(false);
  expect(identityOf(spawnSync("true").pid ?? 0)).toBeUndefined();
});
