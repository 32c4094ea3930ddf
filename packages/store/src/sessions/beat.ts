/** The thread that renews a session's lease; its rules are in openSession.ts. */
import { parentPort, workerData } from "node:worker_threads";
import type { StopSignal } from "@baton/core/ports";
import pg from "pg";

export type FromBeat =
  | { readonly lost: string }
  | { readonly stop: readonly StopSignal[] }
  | { readonly failed: string };
export type ToBeat =
  | { readonly alive: true; readonly earliestDeadline: number | undefined }
  | { readonly acknowledged: true };

interface BeatData {
  readonly url: string;
  readonly sessionId: string;
  readonly beatMs: number;
  readonly leaseMs: number;
}

const { url, sessionId, beatMs, leaseMs } = workerData as BeatData;
const port = parentPort;
const deadlineGraceMs = 5_000;

let client: pg.Client | undefined;
// The lease was granted when the session row was written, just before this thread started.
let renewedAt = performance.now();
let lost = false;
let acknowledged = false;
let mainSeenAt = performance.now();
let earliestDeadline: number | undefined;

const tell = (message: FromBeat): void => port?.postMessage(message);

port?.on("message", (message: ToBeat) => {
  if ("acknowledged" in message) {
    acknowledged = true;
    return;
  }
  mainSeenAt = performance.now();
  earliestDeadline = message.earliestDeadline;
});

async function connected(): Promise<pg.Client> {
  if (client !== undefined) return client;
  const fresh = new pg.Client({
    connectionString: url,
    application_name: "baton-beat",
    connectionTimeoutMillis: beatMs,
    query_timeout: beatMs,
    keepAlive: true,
  });
  const drop = (): void => {
    if (client === fresh) client = undefined;
  };
  fresh.on("error", drop);
  fresh.on("end", drop);
  await fresh.connect();
  await fresh.query("set role baton_engine");
  client = fresh;
  return fresh;
}

async function beat(): Promise<void> {
  const sentAt = performance.now();
  try {
    const open = await connected();
    const { rows } = await open.query<{ beat: { alive: boolean; stop: readonly StopSignal[] } }>(
      "select baton_v1.beat($1, $2) as beat",
      [sessionId, leaseMs],
    );
    const answer = rows[0]?.beat;
    if (answer?.alive !== true) return lose("The session was ended by another process: its lease ran out.");
    renewedAt = sentAt;
    if (answer.stop.length > 0) tell({ stop: answer.stop });
  } catch (error) {
    const broken = client;
    client = undefined;
    tell({ failed: error instanceof Error ? error.message : String(error) });
    // A connection that timed out may be half open: waiting for its goodbye would cost the lease.
    (broken as unknown as { connection?: { stream?: { destroy(): void } } } | undefined)?.connection?.stream?.destroy();
  }
}

function lose(message: string): void {
  if (lost) return;
  lost = true;
  tell({ lost: message });
  setTimeout(() => {
    if (!acknowledged) process.kill(process.pid, "SIGKILL");
  }, 2_000);
}

/** A blocked main thread cannot abort its attempts: past their deadline only the end of the process does. */
function fence(): void {
  const blocked = performance.now() - mainSeenAt > 2_000;
  if (blocked && earliestDeadline !== undefined && Date.now() > earliestDeadline + deadlineGraceMs) {
    process.kill(process.pid, "SIGKILL");
  }
  // Reaped at leaseMs by the database's clock; this side gives up earlier.
  if (performance.now() - renewedAt > leaseMs * 0.9) lose("The lease could not be renewed in time.");
}

setInterval(fence, 200);
void (async () => {
  for (;;) {
    const startedAt = performance.now();
    await beat();
    if (lost) return;
    await new Promise((resolve) => setTimeout(resolve, Math.max(50, beatMs - (performance.now() - startedAt))));
  }
})();
