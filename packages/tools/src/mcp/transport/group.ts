/**
 * A server program and everything it starts, as one process group that leaves with this process.
 *
 * 1. The program leads a session and a process group of its own. A watcher in the group blocks on a pipe whose other end
 *    only this process holds: however this process ends, SIGKILL included, the kernel closes the pipe, and the watcher
 *    sends SIGTERM to the whole group, and SIGKILL after the grace. While the watcher lives, the group's number is not
 *    given to anybody else.
 * 2. The shell `exec`s the program, so pid, exit code and signal are the program's own. Nothing of the environment stands
 *    in an argument, where every user of the machine could read it.
 * 3. What leaves the group on purpose (setsid) is not reached.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";

export interface GroupOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** All that the program gets, but for what every program needs. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  readonly graceMs: number;
}

export interface ProgramGroup {
  readonly pid: number;
  readonly input: Writable;
  readonly output: Readable;
  readonly errors: Readable;
  /** Resolves with how the program ended; the rest of its group is being ended by then. */
  readonly ended: Promise<string>;
  /** Ends the whole group: first the program's input, then signals. */
  stop(): Promise<void>;
}

// The watcher's parent leaves at once: the program has no child that it does not know of.
const watch = `
tenths=$1; shift
( (
  trap '' TERM INT HUP
  read -r _ <&3
  kill -TERM -$$
  while [ "$tenths" -gt 0 ] && kill -0 $$; do
    sleep 0.1
    tenths=$((tenths - 1))
  done
  kill -KILL -$$
) </dev/null >/dev/null 2>&1 & )
exec 3<&-
exec "$@"
`;

/** What programs need to run at all; everything else is the operator's to give. */
const inherited = ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"];

/** Rejects when the program could not be started. */
export async function startGroup({ command, args, env, cwd, graceMs }: GroupOptions): Promise<ProgramGroup> {
  const given = inherited.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const child: ChildProcess = spawn(
    "/bin/sh",
    ["-c", watch, "mcp", String(Math.ceil(graceMs / 100)), command, ...args],
    {
      cwd,
      env: { ...Object.fromEntries(given), ...env },
      detached: true,
      stdio: ["pipe", "pipe", "pipe", "pipe"],
    },
  );
  const lifeline = child.stdio[3] as Socket;
  // EPIPE: the watcher is gone, and with it the group.
  lifeline.on("error", () => lifeline.destroy());
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      lifeline.destroy();
      const notFound = code === 126 || code === 127 ? " (the command was not found, or may not be run)" : "";
      resolve(signal === null ? `ended with exit code ${code}${notFound}` : `was ended by ${signal}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  const { stdin, stdout, stderr, pid } = child;
  if (stdin === null || stdout === null || stderr === null || pid === undefined)
    throw new Error("A started program has no streams.");
  // EPIPE and ECONNRESET: how the program ended says more.
  for (const stream of [stdin, stdout, stderr]) stream.on("error", () => undefined);
  return {
    pid,
    input: stdin,
    output: stdout,
    errors: stderr,
    ended,
    async stop() {
      stdin.end();
      const timer = setTimeout(() => lifeline.destroy(), Math.min(graceMs, 500));
      await ended;
      clearTimeout(timer);
    },
  };
}
