/**
 * One of Baton's processes, started as users start it: its main file and its environment.
 *
 * 1. It leaves with the bench, however the bench ends.
 * 2. What it prints goes to a file, so that nobody's processor time is spent on reading it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Program {
  readonly name: string;
  readonly pid: number;
  /** The end of what it printed. */
  printed(): string;
  /** SIGTERM, and SIGKILL when it does not leave. */
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly name: string;
  /** Arguments of Node: flags, the main file, its arguments. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** GET answers 2xx once it is ready. */
  readonly readyUrl: string;
}

/** A guard against a hang, not a measure: a start takes two seconds on a quiet machine. */
const startLimitMs = 300_000;
const stopLimitMs = 45_000;

export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { name, args, cwd, env, logFile, readyUrl } = options;
  const log = openSync(logFile, "a");
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...env, BATON_LIFETIME_FD: "3" },
    stdio: ["ignore", log, log, "pipe"],
  });
  closeSync(log);
  child.stdio[3]?.on("error", () => undefined);
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const printed = () => readFileSync(logFile, "utf8").slice(-4_000);
  const program = { name, pid: child.pid ?? 0, printed, stop: () => stop(child, exited) };
  const until = performance.now() + startLimitMs;
  while (!(await answers(readyUrl))) {
    if (hasEnded(child)) throw new Error(`${name} did not start:\n${printed()}`);
    if (performance.now() < until) {
      await delay(20);
      continue;
    }
    await program.stop();
    throw new Error(`${name} was not ready within ${startLimitMs} ms:\n${printed()}`);
  }
  return program;
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (hasEnded(child)) return;
  child.kill("SIGTERM");
  const patience = setTimeout(() => child.kill("SIGKILL"), stopLimitMs);
  await exited;
  clearTimeout(patience);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Free at this moment, on loopback. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
