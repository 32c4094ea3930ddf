/**
 * Programs of ours as processes of their own, for tests of the whole.
 *
 * 1. They leave when the test's process does, however it ends: each holds the other end of a pipe.
 * 2. What a program printed is kept, and shown when it ends unexpectedly.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

export interface Program {
  readonly name: string;
  readonly process: ChildProcess;
  /** What it printed so far; the last 200,000 characters. */
  output(): string;
  /** The exit code, or the signal that ended it; -1 when it could not be started. */
  readonly exited: Promise<number | string>;
  kill(signal: NodeJS.Signals): void;
}

export interface ProgramStart {
  readonly name: string;
  /** Path of a TypeScript or JavaScript file. */
  readonly main: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

const keptChars = 200_000;

/** A third of what a process of ours costs until it is ready is compiling: every later one is spared that. */
const compileCache = fileURLToPath(new URL("../../node_modules/.cache/node-compile", import.meta.url));

export function startProgram({ name, main, cwd, env }: ProgramStart): Program {
  const child = spawn(process.execPath, [main], {
    cwd,
    // Memory as in the image.
    env: {
      NODE_COMPILE_CACHE: compileCache,
      NODE_OPTIONS: "--max-semi-space-size=16",
      MALLOC_ARENA_MAX: "2",
      ...env,
      BATON_LIFETIME_FD: "3",
    },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let printed = "";
  const keep = (chunk: Buffer): void => {
    printed = (printed + chunk.toString("utf8")).slice(-keptChars);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  // A program that closes its end of the pipe early is about to end anyway.
  child.stdio[3]?.on("error", () => undefined);
  const exited = new Promise<number | string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? code ?? -1));
    child.once("error", (error) => {
      printed += String(error);
      resolve(-1);
    });
  });
  return { name, process: child, output: () => printed, exited, kill: (signal) => void child.kill(signal) };
}

export const isRunning = ({ process: { exitCode, signalCode } }: Program): boolean =>
  exitCode === null && signalCode === null;

/** Polls a condition that is expected to hold soon; fails at once when the program it concerns has ended. */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  program?: Program,
  patienceMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const hasEnded = program !== undefined && !isRunning(program);
    if (await holds().catch(() => false)) return;
    if (hasEnded) {
      const { exitCode, signalCode } = program.process;
      throw new Error(`${program.name} ended with ${signalCode ?? exitCode}:\n${program.output()}`);
    }
    if (performance.now() > deadline) throw new Error(`Not within ${patienceMs} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const given = new Set<number>();

/**
 * A port of the loopback address that nothing uses, and that this process is not given again. It lies below those that
 * systems hand out by themselves: one of them can be taken by any connection between the look and the use.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
