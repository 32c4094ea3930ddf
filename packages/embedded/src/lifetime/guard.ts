/**
 * The guard: a foreign program (PostgreSQL, Redis) that leaves when this process does.
 *
 * Purpose: such a program cannot watch its parent, so a shell starts a watcher beside it that blocks on a
 * pipe whose other end only this process holds. Boundary: programs of ours use lifetime.ts instead.
 *
 * 1. The kernel closes the pipe however this process ends, SIGKILL included; the watcher then sends the stop
 *    signal, and SIGKILL after the grace.
 * 2. The shell `exec`s the program, so `pid`, exit code and signal are the program's own.
 * 3. The program runs in a session of its own: Ctrl-C in a terminal reaches only its owner, which stops
 *    things in order.
 * 4. Neither the program nor the pipe keeps this process's event loop alive.
 */
import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { BatonError } from "@baton/core";

export interface GuardedProgram {
  readonly command: string;
  readonly args: readonly string[];
  /** Added in front of the program only; the watcher runs with the bare `PATH`. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Run as this uid and gid (only root may). */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** A file descriptor for both output streams. */
  readonly output: number;
  readonly stopSignal: "INT" | "TERM";
  readonly graceMs: number;
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Guarded {
  readonly pid: number;
  readonly exited: Promise<ProgramEnd>;
  stop(): Promise<ProgramEnd>;
}

// The watcher's parent leaves at once: PostgreSQL takes any child that it does not know for a crashed backend.
// The word `done` comes when the program has ended by itself: its pid may be somebody else's by then.
const watch = `
signal=$1; tenths=$2; shift 2
program=$$
( (
  read -r word <&3 && [ "$word" = done ] && exit 0
  kill -"$signal" "$program" 2>/dev/null || exit 0
  while [ "$tenths" -gt 0 ]; do
    sleep 0.1
    kill -0 "$program" 2>/dev/null || exit 0
    tenths=$((tenths - 1))
  done
  kill -KILL "$program" 2>/dev/null
) >/dev/null 2>&1 & )
exec 3<&-
exec env "$@"
`;

export async function spawnGuarded(program: GuardedProgram): Promise<Guarded> {
  const assignments = Object.entries(program.env).map(([name, value]) => `${name}=${value}`);
  const tenths = String(Math.ceil(program.graceMs / 100));
  const child = spawn(
    "/bin/sh",
    ["-c", watch, "guard", program.stopSignal, tenths, ...assignments, program.command, ...program.args],
    {
      cwd: program.cwd,
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
      detached: true,
      stdio: ["ignore", program.output, program.output, "pipe"],
      ...program.user,
    },
  );
  const lifeline = child.stdio[3] as unknown as Socket | null;
  const exited = new Promise<ProgramEnd>((resolve) => {
    child.once("exit", (code, signal) => {
      lifeline?.end("done\n");
      resolve({ code, signal });
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => {
      const message = `${program.command} could not be started: ${cause.message}.`;
      reject(new BatonError("embedded-failed", message, { cause }));
    });
  });
  if (child.pid === undefined || !lifeline)
    throw new BatonError("internal", "The spawned program has no pid or no pipe.");
  // EPIPE: the watcher is gone, and with it whatever it had to do.
  lifeline.on("error", () => lifeline.destroy());
  child.unref();
  lifeline.unref();
  return {
    pid: child.pid,
    exited,
    stop() {
      child.ref();
      if (child.exitCode === null && child.signalCode === null) lifeline.destroy();
      return exited;
    },
  };
}
