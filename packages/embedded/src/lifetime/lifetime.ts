/**
 * Leaving with the parent: what every process of ours that the supervisor starts calls first.
 *
 * Purpose: the parent holds one end of a pipe, this process the other; when the parent ends, however it ends,
 * this process shuts down as on SIGTERM, and is killed when that takes longer than its grace.
 * Boundary: knows nothing of what is shut down; that is whoever listens for SIGTERM.
 *
 * 1. A thread watches, so that a blocked main thread cannot stay behind.
 * 2. Started by anything but a supervisor (no `BATON_LIFETIME_FD`), it does nothing.
 * 3. The variable is taken out of the environment: a grandchild has another descriptor under that number.
 */
import { Worker } from "node:worker_threads";

/** Names the descriptor of the pipe; set by the supervisor and by tooling/bootstrap.mjs. */
export const lifetimeVariable = "BATON_LIFETIME_FD";

/** Returns whether there is a parent to leave with. `graceMs`: from SIGTERM to SIGKILL, at most. */
export function leaveWithParent(options: { readonly graceMs?: number } = {}): boolean {
  const named = process.env[lifetimeVariable];
  delete process.env[lifetimeVariable];
  if (named === undefined || !/^\d+$/.test(named)) return false;
  const watcher = new Worker(new URL("./thread.ts", import.meta.url), {
    workerData: { fd: Number(named), graceMs: options.graceMs ?? 10_000 },
    execArgv: [],
  });
  watcher.unref();
  return true;
}
