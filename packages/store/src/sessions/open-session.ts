/**
 * One life of one worker process.
 *
 * Purpose: the lease. One row, renewed on a connection and a thread of its own, so that a busy event
 * loop loses no lease. Boundary: what runs under the session is the executor's.
 *
 * 1. The lease is asked for when the thread is ready to renew it: on a busy machine a thread takes longer to start than
 *    a short lease lasts.
 * 2. The thread counts monotonic time from when a beat was sent, never from when its reply came.
 * 3. When the lease cannot be renewed in time, `lost` aborts; nothing may be settled any more.
 * 4. The thread knows the earliest deadline before the attempt that has it can block the main thread.
 * 5. When an attempt is past its deadline + 5 s while the main thread answers nothing, or when a lost
 *    lease is not acknowledged, the thread ends the process with SIGKILL: it cannot abort the main one. In the first
 *    case it finds out which attempt holds the main thread, charges it, and gives back the others.
 */
import { once } from "node:events";
import { hostname } from "node:os";
import { Worker } from "node:worker_threads";
import { BatonError, defaultTenantId } from "@baton/core";
import type { AttemptNow, Session, SessionOptions, StopSignal } from "@baton/core/ports";
import { openingPatienceMs, patiently } from "../connection/patience.ts";
import type { Connections } from "../connection/pools.ts";
import type { BeatConnectionOptions } from "./beat-connection.ts";
import type { FromBeat, Grant, ToBeat } from "./lease.ts";
import { attemptTeller } from "./main-thread.ts";
import { monotonicMs } from "./monotonic-clock.ts";

export interface OpenSessionOptions extends SessionOptions {
  readonly url: string;
  readonly connections: Connections;
  readonly newId: () => string;
  readonly onStop: (signal: StopSignal) => void;
  readonly onError: (error: Error) => void;
  /** Unix ms of the earliest deadline among the running attempts; undefined when none runs. */
  readonly earliestDeadline?: () => number | undefined;
  /** The attempt to which the code belongs that calls this; asked in the middle of whatever blocks the main thread. */
  readonly attemptNow?: () => AttemptNow | undefined;
}

export async function openSession(options: OpenSessionOptions): Promise<Session> {
  const sessionId = options.newId();
  const host = hostname();
  const thread = await startBeat({ url: options.url, sessionId, beatMs: options.beatMs, leaseMs: options.leaseMs });
  const lost = new AbortController();
  const post = (message: ToBeat): void => thread.postMessage(message);
  let closing = false;
  let told: number | undefined;
  // The main thread's sign of life, with what the thread must know to fence it.
  const tellAlive = (): void => {
    told = options.earliestDeadline?.();
    post({ alive: true, earliestDeadline: told });
  };
  // A flush starts and ends hundreds of attempts in one turn of the loop: they are one message.
  let isTelling = false;
  const tellChange = (): void => {
    isTelling = false;
    if (!closing && options.earliestDeadline?.() !== told) tellAlive();
  };
  const lose = (message: string): void => {
    if (closing || lost.signal.aborted) return;
    lost.abort(new BatonError("lease-lost", message));
    post({ acknowledged: true });
  };
  thread.on("message", (message: FromBeat) => {
    if ("lost" in message) lose(message.lost);
    else if ("stop" in message) for (const signal of message.stop) options.onStop(signal);
    else options.onError(new BatonError("store-unavailable", `A beat failed: ${message.failed}`));
  });
  thread.on("error", (error) => {
    options.onError(error instanceof Error ? error : new Error(String(error)));
    lose("The thread that renews the lease died.");
  });
  const grantedAt = monotonicMs();
  try {
    await patiently(
      () =>
        options.connections.engine(
          `insert into baton.worker_session (tenant_id, session_id, role, worker, host, pid, version, pools, tools, slots, started_at, beat_at, expires_at)
       select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now, now, now + make_interval(secs => $11 / 1000.0)
       from (select baton.clock() as now) c
       on conflict do nothing`,
          [
            defaultTenantId,
            sessionId,
            options.role,
            `${host}/${process.pid}`,
            host,
            process.pid,
            options.version,
            options.pools,
            options.tools,
            options.slots,
            options.leaseMs,
          ],
        ),
      openingPatienceMs,
    );
  } catch (error) {
    await thread.terminate();
    throw error;
  }
  const teller = attemptTeller(sessionId);
  Object.defineProperty(globalThis, teller, { value: () => options.attemptNow?.(), configurable: true });
  thread.postMessage({ grantedAt } satisfies Grant);
  const alive = setInterval(tellAlive, 1_000);
  alive.unref();
  return {
    sessionId,
    lost: lost.signal,
    attemptsChanged: () => {
      if (isTelling) return;
      isTelling = true;
      // Before any performer runs that could block: it is called in a later turn of the microtask queue.
      queueMicrotask(tellChange);
    },
    close: async () => {
      closing = true;
      clearInterval(alive);
      await thread.terminate();
      Reflect.deleteProperty(globalThis, teller);
      if (lost.signal.aborted) return;
      await options.connections.engine(
        "update baton.worker_session set ended_at = baton.clock(), end_reason = 'closed' where session_id = $1 and ended_at is null",
        [sessionId],
      );
    },
  };
}

/** Resolves when the thread has loaded and has tried its connection. */
async function startBeat(workerData: BeatConnectionOptions): Promise<Worker> {
  // The thread needs none of the parent's loaders or flags.
  const thread = new Worker(new URL("./beat.ts", import.meta.url), { workerData, execArgv: [] });
  // Rejects with the thread's own error; its first message is that it is ready.
  await once(thread, "message");
  return thread;
}
