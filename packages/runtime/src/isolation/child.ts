/**
 * The process that was started for one attempt: it performs the step it is handed, answers, and ends.
 *
 * 1. It holds no session and claims nothing: the lease is its parent's, who settles.
 * 2. Signals that reach a whole group or container are its parent's to act upon; it is told what to do.
 * 3. When memory is short, the system ends it before its parent.
 * 4. It stays until its performer has really ended and no call is out any more, so that a late result is kept.
 */
import { writeFileSync } from "node:fs";
import type { Config } from "@baton/config";
import type { LogPort, MeterPort } from "@baton/core/ports";
import { performOnly } from "@baton/executor";
import type { OnlyAttempt, Performers } from "@baton/executor";
import type { Tool } from "@baton/tools";
import { openIsolatedParts } from "../runtime.ts";
import type { FailPoints } from "../runtime.ts";
import { isolatedVariable } from "./messages.ts";
import type { ToChild, ToParent } from "./messages.ts";

export interface IsolatedOptions {
  readonly config: Config;
  readonly log: LogPort;
  readonly meter: MeterPort;
  /** As PostgreSQL shows the process's connections. */
  readonly applicationName: string;
  /** The owner's own tools, as the parent has them. */
  readonly tools?: readonly Tool[];
  /** What of the performers this process has; default all. */
  readonly performersOf?: (performers: Performers) => Performers;
  readonly failPoint?: FailPoints;
}

/** For results of calls that come after the attempt's end. */
const lateMs = 25_000;

/** True once, in a process that was started for one attempt. */
export function isIsolatedProcess(): boolean {
  const isOne = process.env[isolatedVariable] === "1" && process.send !== undefined;
  delete process.env[isolatedVariable];
  return isOne;
}

/** Never resolves: the process ends. */
export async function performIsolated(options: IsolatedOptions): Promise<never> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
  process.once("disconnect", () => process.exit(1));
  dieFirst();
  const told = nextMessage();
  const { work, late, close } = await openIsolatedParts(options);
  const message = await told;
  if (!("perform" in message)) throw new Error("The first message to an isolated process is the step it performs.");
  let only: OnlyAttempt | undefined;
  process.on("message", (next: ToChild) => {
    if ("stop" in next) only?.stop(next.stop);
  });
  await say({ began: true });
  only = performOnly(work, message.perform);
  const { ended, ...record } = await only.worked;
  await say({ record });
  await ended;
  await late.settled(lateMs);
  await close();
  process.exit(0);
}

function nextMessage(): Promise<ToChild> {
  return new Promise((resolve) => process.once("message", (message) => resolve(message as ToChild)));
}

function say(message: ToParent): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, {}, (error) => (error === null ? resolve() : reject(error)));
  });
}

function dieFirst(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "1000");
  } catch {
    // Only Linux has it, and not every container lets it be written.
  }
}
