/** Whatever becomes of the process that started a server, the server and what it started leave too. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { toolCall } from "./call.ts";
import { misbehaving, newFolder, openMcp } from "./mcp.ts";

function isRunning(pid: number): boolean {
  try {
    // A zombie holds nothing any more.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

const gone = (pids: readonly number[]) =>
  expect.poll(() => pids.filter(isRunning), { timeout: 10_000, interval: 50 }).toEqual([]);

async function startHolder(): Promise<{ holder: ChildProcess; pids: number[] }> {
  const program = fileURLToPath(new URL("./programs/mcp-holder.ts", import.meta.url));
  const holder = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
  if (holder.stdout === null) throw new Error("no output");
  const [line] = (await once(createInterface({ input: holder.stdout }), "line")) as [string];
  return { holder, pids: JSON.parse(line) as number[] };
}

test("after SIGKILL of its process a server, its child and one that ignores SIGTERM are gone", async () => {
  const { holder, pids } = await startHolder();
  expect(pids.every(isRunning)).toBe(true);
  expect(pids).toHaveLength(3);
  holder.kill("SIGKILL");
  await gone(pids);
}, 30_000);

test("a server that crashes takes what it started along", async () => {
  const { registry, mcp } = await openMcp([misbehaving()]);
  const { text } = (await registry.run("odd.children", {}, toolCall())) as { text: string };
  const pids = JSON.parse(text) as number[];
  await registry.run("odd.crash", {}, toolCall()).catch(() => undefined);
  await gone(pids);
  await mcp.close();
}, 30_000);

test("nothing runs before the first call where the catalogue knows the server, and nothing after the end", async () => {
  const starts = `${newFolder()}/starts`;
  const server = misbehaving({ env: { STARTS_FILE: starts } });
  const first = await openMcp([server]);
  await first.mcp.close();
  const before = readFileSync(starts, "utf8").trim().split("\n");
  expect(before).toHaveLength(1);
  const { registry, mcp } = await openMcp([server], { catalogue: first.catalogue });
  expect(registry.list().length).toBeGreaterThan(10);
  expect(readFileSync(starts, "utf8").trim().split("\n")).toEqual(before);
  await registry.run("odd.echo", {}, toolCall());
  const [, second] = readFileSync(starts, "utf8").trim().split("\n").map(Number);
  expect(second !== undefined && isRunning(second)).toBe(true);
  await mcp.close();
  await gone([second as number]);
}, 30_000);
