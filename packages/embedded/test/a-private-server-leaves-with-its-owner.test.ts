import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { findPostgres, startPostgres } from "../src/index.ts";
import { readPostmaster } from "../src/postgres/connection.ts";
import { ask, dataFolder, gone, run, familyOf } from "./running.ts";

async function owned(dataDir: string) {
  const program = run("postgres", [dataDir]);
  const url = String((await program.fact("url"))["url"]);
  const postmaster = await readPostmaster(dataDir);
  if (!postmaster) throw new Error("no server");
  return { program, url, pid: postmaster.pid };
}

it("leaves nothing behind when its owner is killed, and starts again with its data", async () => {
  const dataDir = await dataFolder();
  const { program, url, pid } = await owned(dataDir);
  await ask(url, "create table kept as select 1");
  const family = familyOf(pid).map((member) => member.pid);
  expect(family.length).toBeGreaterThan(5);
  program.child.kill("SIGKILL");
  await gone(...family);
  expect(await findPostgres(dataDir)).toBeUndefined();
  const next = await startPostgres({ dataDir, durable: false });
  expect(await ask(next.url, "select count(*) from kept")).toEqual(["1"]);
  await next.stop();
});

it("is not attached to once its owner is dead: the next start waits for it to leave and has a server of its own", async () => {
  const dataDir = await dataFolder();
  const { program, url, pid } = await owned(dataDir);
  const guard = familyOf(pid).find((member) => member.name === "sh");
  if (!guard) throw new Error("the server has no guard");
  process.kill(guard.pid, "SIGSTOP");
  program.child.kill("SIGKILL");
  await program.ended();
  const [answer, found] = [await ask(url, "select 1"), await findPostgres(dataDir)];
  const start = startPostgres({ dataDir, durable: false });
  process.kill(guard.pid, "SIGCONT");
  expect(answer).toEqual(["1"]);
  expect(found).toBeUndefined();
  const next = await start;
  expect(next.attached).toBe(false);
  expect(await ask(next.url, "select 1")).toEqual(["1"]);
  await next.stop();
});

it("leaves when its owner ends without stopping it, and does not keep the owner from ending", async () => {
  const dataDir = await dataFolder();
  const program = run("postgres", [dataDir, "forget"]);
  await program.fact("url");
  expect(await program.ended()).toBe(0);
  const postmaster = await readPostmaster(dataDir);
  if (postmaster) await gone(postmaster.pid);
});

it("is replaced when both its owner and its guard were killed", async () => {
  const dataDir = await dataFolder();
  const { program, url, pid } = await owned(dataDir);
  await ask(url, "create table kept as select 1");
  for (const member of familyOf(pid)) if (member.name === "sh") process.kill(member.pid, "SIGKILL");
  program.child.kill("SIGKILL");
  await program.ended();
  expect(await ask(url, "select 1")).toEqual(["1"]);
  const next = await startPostgres({ dataDir, durable: false });
  expect(next.attached).toBe(false);
  expect(await ask(next.url, "select count(*) from kept")).toEqual(["1"]);
  await next.stop();
});

it("starts although postmaster.pid names a process that is somebody else by now", async () => {
  const dataDir = await dataFolder();
  const { program, pid } = await owned(dataDir);
  process.kill(pid, "SIGKILL");
  program.child.kill("SIGKILL");
  await gone(pid);
  const root = process.getuid?.() === 0;
  const other = spawn("sleep", ["600"], { stdio: "ignore", ...(root && { uid: 65_534, gid: 65_534 }) });
  onTestFinished(() => void other.kill("SIGKILL"));
  const path = join(dataDir, "postgres", "postmaster.pid");
  await writeFile(path, (await readFile(path, "utf8")).replace(/^\d+/, String(other.pid)));
  const next = await startPostgres({ dataDir, durable: false });
  expect(await ask(next.url, "select 1")).toEqual(["1"]);
  expect(other.exitCode).toBeNull();
  await next.stop();
});

it("takes another port when its own was taken meanwhile", async () => {
  const [one, two] = [await dataFolder(), await dataFolder()];
  const first = await startPostgres({ dataDir: one, durable: false });
  await first.stop();
  const text = await readFile(join(one, "postgres.json"), "utf8");
  const second = await startPostgres({ dataDir: two, durable: false });
  await writeFile(join(one, "postgres.json"), text.replace(/"port": \d+/, `"port": ${second.port}`));
  const third = await startPostgres({ dataDir: one, durable: false });
  expect(third.port).not.toBe(second.port);
  await Promise.all([second.stop(), third.stop()]);
});
