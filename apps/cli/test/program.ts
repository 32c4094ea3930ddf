/** The command line as a process, as users start it; whatever a test leaves is ended after it. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, vi } from "vitest";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
export const guard = { timeout: 120_000, interval: 50 };
// Against a hang alone: a test starts up to ten processes, on machines that are busy with other suites.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

export interface Running {
  readonly child: ChildProcess;
  /** In the environment of the process and of every program of ours that it starts. */
  readonly mark: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly ended: Promise<number | string>;
  /** Waits until either stream says it. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Registers what is to be done when a test, or all tests of a file, are over; the last one first. */
export type Afterwards = (work: () => Promise<void>) => void;

export interface RunOptions {
  /** The project. */
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: after the test. */
  readonly afterwards?: Afterwards;
}

/** Nothing of the environment of the test run decides what a command does. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours =
    /^(BATON_|npm_|INIT_CWD$|DATABASE_URL$|REDIS_URL$|ANTHROPIC_|DISABLE_TASK_WORKER$|NODE_ENV$|NO_COLOR$|FORCE_COLOR$|VITEST)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

export function baton(args: readonly string[], options: RunOptions): Running {
  return start([main, ...args], options);
}

export function start(args: readonly string[], options: RunOptions): Running {
  const { cwd, env = {}, afterwards = onTestFinished } = options;
  const mark = randomUUID();
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...cleanEnvironment(), ...env, TEST_MARK: mark },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (chunk: string) => (said[stream] += chunk));
  }
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => resolve(signal ?? code ?? -1));
  });
  afterwards(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await ended;
  });
  return {
    child,
    mark,
    get stdout() {
      return said.stdout;
    },
    get stderr() {
      return said.stderr;
    },
    ended,
    says: async (pattern) =>
      await vi.waitFor(() => {
        const found = pattern.exec(said.stdout) ?? pattern.exec(said.stderr);
        if (found === null) throw new Error(`${pattern} was not said:\n${said.stdout}\n${said.stderr}`);
        return found;
      }, guard),
  };
}

export async function finished(running: Running): Promise<{ exit: number | string; stdout: string; stderr: string }> {
  const exit = await running.ended;
  return { exit, stdout: running.stdout, stderr: running.stderr };
}

/** A project folder of its own, gone after the test with the server that may run below it. */
export async function temporaryFolder(afterwards: Afterwards = onTestFinished): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "baton-cli-")));
  afterwards(() => rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }));
  return folder;
}

/** The living processes that were started by it, itself included, and the private PostgreSQL of that data folder. */
export function livingOf({ mark }: Running, dataDir: string): number[] {
  const marked = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isAlive(pid) && environmentOf(pid).includes(`TEST_MARK=${mark}`));
  const postmaster = join(dataDir, "postgres", "postmaster.pid");
  const server = existsSync(postmaster) ? [Number(readFileSync(postmaster, "utf8").split("\n")[0])] : [];
  return [...marked, ...server.filter(isAlive)];
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

export async function nothingLeft(running: Running, dataDir: string): Promise<void> {
  await vi.waitFor(() => expect(livingOf(running, dataDir)).toEqual([]), guard);
}
