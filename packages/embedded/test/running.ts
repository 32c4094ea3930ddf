/** Programs that a test starts and watches; whatever is left is ended after each test. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, vi } from "vitest";
import { readPostmaster } from "../src/postgres/connection.ts";
import { queryOnce } from "../src/postgres/wire.ts";

export interface Running {
  readonly child: ChildProcess;
  readonly facts: Record<string, unknown>[];
  errors: string;
  /** The first fact that has that field. */
  fact(field: string): Promise<Record<string, unknown>>;
  ended(): Promise<number | string | null>;
}

export function run(
  program: string,
  args: readonly string[],
  user?: { uid: number; env: Record<string, string> },
): Running {
  const path = fileURLToPath(new URL(`./programs/${program}.ts`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: "/",
    ...(user && { uid: user.uid, gid: user.uid, env: { PATH: process.env["PATH"], ...user.env } }),
  });
  const facts: Record<string, unknown>[] = [];
  const running: Running = {
    child,
    facts,
    errors: "",
    fact: (field) =>
      vi.waitFor(
        () => {
          const found = facts.find((fact) => field in fact);
          if (!found) throw new Error(`${program} has not said ${field}: ${JSON.stringify(facts)} ${running.errors}`);
          return found;
        },
        { timeout: 40_000, interval: 20 },
      ),
    ended: () => ended,
  };
  const ended = new Promise<number | string | null>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? code)),
  );
  createInterface({ input: child.stdout }).on("line", (line) =>
    facts.push(JSON.parse(line) as Record<string, unknown>),
  );
  child.stderr.on("data", (chunk: Buffer) => (running.errors += chunk.toString()));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  });
  return running;
}

/** Removed after the test, when the server that may stand in it has left. */
export async function dataFolder(...below: string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "baton-embedded-"));
  const folder = join(root, ...below);
  onTestFinished(async () => {
    const postmaster = existsSync(folder) ? await readPostmaster(folder) : undefined;
    if (postmaster) await gone(postmaster.pid);
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  });
  return folder;
}

export async function gone(...pids: number[]): Promise<void> {
  await vi.waitFor(() => expect(pids.filter((pid) => existsSync(`/proc/${pid}`) && !isZombie(pid))).toEqual([]), {
    timeout: 30_000,
    interval: 20,
  });
}

function isZombie(pid: number): boolean {
  return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

export async function ask(url: string, sql: string): Promise<(string | null)[]> {
  const { port, username, password, pathname } = new URL(url);
  const rows = await queryOnce({ port: Number(port), user: username, password, database: pathname.slice(1) }, sql);
  return [...(rows[0] ?? [])];
}

/** The server, its guard (in the server's session) and its backends (its children), by proc(5). */
export function familyOf(server: number): { pid: number; name: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        const [, parent, , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        const command = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
        return [parent, session].includes(String(server)) ? [{ pid: Number(name), name: command }] : [];
      } catch {
        return [];
      }
    });
}
