/**
 * One child of the stack: started, started again when it ends unasked, and stopped within a grace.
 *
 * 1. It holds a pipe from us (lifetime/lifetime.ts), so that it leaves even when we are killed.
 * 2. It leads a process group of its own: Ctrl-C reaches only the supervisor, and what it started dies with it.
 * 3. A child that ends early again and again is given up: something is wrong that a restart does not mend.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { lifetimeVariable } from "../lifetime/lifetime.ts";

export interface ChildProgram {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ChildLine {
  readonly name: string;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

export type ChildEvent =
  | { readonly kind: "started"; readonly name: string; readonly pid: number }
  | { readonly kind: "ended"; readonly name: string; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: "restarting"; readonly name: string; readonly inMs: number };

export interface ChildObserver {
  onLine(line: ChildLine): void;
  onChild(event: ChildEvent): void;
}

const steadyAfterMs = 10_000;
const maxEarlyEnds = 6;
const backoff = { firstMs: 250, capMs: 10_000 };

export interface SupervisedChild {
  /** True when it was given up, false when it was stopped. */
  readonly gaveUp: Promise<boolean>;
  /** SIGTERM, and SIGKILL for its whole group after the grace. */
  stop(graceMs: number): Promise<void>;
  killNow(): void;
}

export function superviseChild(program: ChildProgram, observer: ChildObserver): SupervisedChild {
  const stopping = new AbortController();
  const current: { child?: ChildProcess } = {};
  const gaveUp = keepRunning(program, observer, stopping.signal, current);
  return {
    gaveUp,
    async stop(graceMs) {
      stopping.abort();
      signalChild(current.child, "SIGTERM");
      const tooLate = setTimeout(() => signalGroup(current.child), graceMs);
      await gaveUp;
      clearTimeout(tooLate);
      signalGroup(current.child);
    },
    killNow() {
      stopping.abort();
      signalGroup(current.child);
    },
  };
}

async function keepRunning(
  program: ChildProgram,
  observer: ChildObserver,
  stopping: AbortSignal,
  current: { child?: ChildProcess },
): Promise<boolean> {
  let earlyEnds = 0;
  while (!stopping.aborted) {
    const startedAt = performance.now();
    current.child = start(program, observer);
    await ended(current.child, program.name, observer);
    if (stopping.aborted) break;
    earlyEnds = performance.now() - startedAt < steadyAfterMs ? earlyEnds + 1 : 0;
    if (earlyEnds >= maxEarlyEnds) return true;
    const inMs = Math.min(backoff.capMs, backoff.firstMs * 2 ** Math.max(0, earlyEnds - 1));
    observer.onChild({ kind: "restarting", name: program.name, inMs });
    // Aborted: it is to stop, which the loop sees.
    await delay(inMs, undefined, { signal: stopping }).catch(() => undefined);
  }
  return false;
}

function start(program: ChildProgram, observer: ChildObserver): ChildProcess {
  const child = spawn(program.command, program.args, {
    ...(program.cwd !== undefined && { cwd: program.cwd }),
    env: { ...process.env, ...program.env, [lifetimeVariable]: "3" },
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  // EPIPE: the child closed its end; its exit is what counts.
  child.stdio[3]?.on("error", () => undefined);
  for (const stream of ["stdout", "stderr"] as const) {
    const lines = createInterface({ input: child.stdio[stream === "stdout" ? 1 : 2] as Readable, crlfDelay: Infinity });
    lines.on("line", (text) => observer.onLine({ name: program.name, stream, text }));
  }
  child.once("spawn", () => observer.onChild({ kind: "started", name: program.name, pid: child.pid ?? 0 }));
  return child;
}

async function ended(child: ChildProcess, name: string, observer: ChildObserver): Promise<void> {
  await new Promise<void>((resolve) => {
    child.once("error", (error) => {
      if (child.pid !== undefined) return;
      observer.onLine({ name, stream: "stderr", text: `could not be started: ${error.message}` });
      resolve();
    });
    child.once("exit", (code, signal) => {
      child.stdio[3]?.destroy();
      observer.onChild({ kind: "ended", name, code, signal });
      resolve();
    });
  });
}

function signalChild(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (child?.exitCode === null && child.signalCode === null) child.kill(signal);
}

function signalGroup(child: ChildProcess | undefined): void {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // ESRCH: the group is empty, which is what is wanted.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
