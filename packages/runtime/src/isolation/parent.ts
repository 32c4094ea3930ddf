/**
 * Attempts in processes of their own, from the side of who starts them.
 *
 * Purpose: one process an attempt, running the same program with the same tools, and a judgement of how it ended.
 * Boundary: which steps are isolated and what their end means is the executor's; what the process does is child.ts.
 *
 * 1. At most `places` at a time; further attempts wait, and their own time does not run while they do.
 * 2. A process that is gone before it began has not met the step: that is no crash.
 * 3. It cannot outlive this one: it watches a pipe from here on a thread of its own.
 * 4. One that answered may stay for a while, for the results of calls that are still out; then it is ended.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { BatonError } from "@baton/core";
import type { LogPort, MeterPort } from "@baton/core/ports";
import type { Isolation, IsolatedAttempt, IsolatedEnd } from "@baton/executor";
import { isolatedVariable } from "./messages.ts";
import type { ToChild, ToParent } from "./messages.ts";
import { createPlaces } from "./places.ts";

export interface IsolationOptions {
  /** Started again with this process's arguments and environment. */
  readonly program: string;
  readonly places: number;
  /** Names the pipe on which the process watches us. */
  readonly lifetimeVariable: string;
  readonly log: LogPort;
  readonly meter: MeterPort;
}

export interface IsolationRoom extends Isolation {
  /** Ends what is left after at most `withinMs`. */
  close(withinMs: number): Promise<void>;
}

const startMs = 60_000;
const lingerMs = 30_000;
const keptChars = 8_000;
const shownChars = 600;

export function createIsolation(options: IsolationOptions): IsolationRoom {
  const { log, meter } = options;
  const places = createPlaces(options.places);
  const processes = new Set<ChildProcess>();
  const counted = () => meter.gauge("baton_isolated_processes", processes.size);

  async function perform(attempt: IsolatedAttempt): Promise<IsolatedEnd> {
    const free = await places.take(attempt.signal);
    if (free === undefined) return { end: "stopped", pid: undefined };
    const { step } = attempt;
    const child = start(options);
    processes.add(child);
    counted();
    child.once("close", () => {
      processes.delete(child);
      counted();
      free();
    });
    log.info("attempt-isolated", {
      ...step.ref,
      attemptNo: step.attemptNo,
      crashCount: step.crashCount,
      pid: child.pid,
    });
    const end = await judge(child, attempt);
    meter.count("baton_isolated_attempts_total", { end: end.end });
    return end;
  }

  return {
    perform,
    async close(withinMs) {
      const left = [...processes].map((child) => new Promise<void>((resolve) => child.once("close", () => resolve())));
      const timer = setTimeout(() => {
        for (const child of processes) child.kill("SIGKILL");
      }, withinMs);
      await Promise.all(left);
      clearTimeout(timer);
    },
  };
}

function start({ program, lifetimeVariable }: IsolationOptions): ChildProcess {
  const child = fork(program, process.argv.slice(2), {
    env: { ...process.env, [isolatedVariable]: "1", [lifetimeVariable]: "4" },
    serialization: "advanced",
    stdio: ["ignore", "inherit", "pipe", "ipc", "pipe"],
  });
  // EPIPE: it closed its end; its exit is what counts.
  child.stdio[4]?.on("error", () => undefined);
  return child;
}

/** Resolves with what became of the attempt; the process may still be there. */
async function judge(child: ChildProcess, attempt: IsolatedAttempt): Promise<IsolatedEnd> {
  const { promise, resolve } = Promise.withResolvers<IsolatedEnd>();
  const pid = child.pid ?? 0;
  let hasBegun = false;
  const words = lastWords(child.stderr);
  const say = (message: ToChild): void => void child.send(message, () => undefined);
  const end = (): void => void child.kill("SIGKILL");
  const giveUp = (): void => {
    resolve({ end: "stopped", pid: hasBegun ? pid : undefined });
    // When we leave, it may still hear of its call's result.
    if (attempt.stopReason !== "shutdown") end();
  };
  const stop = (): void => {
    if (!hasBegun || attempt.stopReason === "session-lost") {
      resolve({ end: "stopped", pid: undefined });
      end();
    } else if (attempt.stopReason !== undefined) say({ stop: attempt.stopReason });
  };
  const late = setTimeout(() => {
    resolve(notStarted(`It was not ready after ${startMs} ms.`));
    end();
  }, startMs);
  child.on("message", (message: ToParent) => {
    if ("began" in message) {
      hasBegun = true;
      clearTimeout(late);
      attempt.begin();
      return;
    }
    resolve({ end: "answered", record: message.record, pid });
    const lingering = setTimeout(end, lingerMs);
    lingering.unref();
    child.once("close", () => clearTimeout(lingering));
  });
  child.once("error", (error) => resolve(notStarted(error.message)));
  // Its streams and its channel have been read to their ends by then.
  child.once("close", (code, signal) => {
    const how = `${signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`}.${words()}`;
    resolve(hasBegun ? { end: "died", how, pid } : notStarted(`It ${how}`));
  });
  attempt.signal.addEventListener("abort", stop, { once: true });
  attempt.onGivenUp = giveUp;
  if (attempt.signal.aborted) stop();
  else say({ perform: attempt.step });
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    attempt.signal.removeEventListener("abort", stop);
  }
}

function notStarted(why: string): IsolatedEnd {
  const message = `The step crashed before and has to run in a process of its own, which did not start. ${why}`;
  return { end: "not-started", error: new BatonError("internal", message) };
}

/** Addresses in the runtime's binary. */
const nativeFrame = /^\s*\d+: 0x/;

/** Passes on what the process prints, and keeps the end of it: what a runtime says when it dies. Log lines are none of it. */
function lastWords(stream: Readable | null): () => string {
  let kept = "";
  stream?.on("data", (chunk: Buffer) => {
    process.stderr.write(chunk);
    kept = (kept + chunk.toString("utf8")).slice(-keptChars);
  });
  return () => {
    const lines = kept
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.startsWith("{") && !nativeFrame.test(line));
    const text = lines.join("\n").slice(-shownChars).toWellFormed();
    return text === "" ? "" : ` Its last words: ${text}`;
  };
}
