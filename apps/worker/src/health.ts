/**
 * Is this worker alive, is it ready: judged from what it did, not from whether a server answers a ping.
 *
 * 1. Alive = every consumer with a free slot took or looked for a message lately, and what was taken gets on; or the
 *    worker is beginning a new session. An idle queue is looked at and trips nothing.
 * 2. A queue that answers nobody is no reason to end a worker that comes back with it: only one that stays silent while
 *    the queue answers others is not alive. It is not ready in either case.
 * 3. A worker all of whose slots are held by attempts that ignore their abort is not alive.
 * 4. Ready = it holds a session and claims work.
 */
import type { AttemptReport } from "@baton/executor";
import type { Lives } from "@baton/runtime";

/** An idle consumer looks every 5 s, and the store answers or is given up within 10. */
const silentMs = 30_000;
const blockedLoopMs = 5_000;

export interface Health {
  readonly ok: boolean;
  /** A stable word, with what it is about; "ok" when all is well. */
  readonly reason: string;
}

export interface Vitals {
  readonly now: number;
  readonly lives:
    | Pick<Lives, "sessionId" | "consumers" | "triedAt" | "attempts" | "waitingSince" | "queueAnsweringSince">
    | undefined;
  readonly isStopping: boolean;
  /** Longest delay of the event loop lately, in ms. */
  readonly loopLagMs: number;
}

const ok: Health = { ok: true, reason: "ok" };

export function liveness({ now, lives }: Vitals): Health {
  if (lives === undefined) return ok;
  if (lives.sessionId === undefined) {
    return now - lives.triedAt > silentMs ? { ok: false, reason: "no-session" } : ok;
  }
  const slots = lives.consumers.reduce((sum, pool) => sum + pool.slots, 0);
  if (slots > 0 && lives.attempts().filter(isAbandoned).length >= slots) return { ok: false, reason: "slots-stuck" };
  if (now - (lives.waitingSince() ?? now) > silentMs) return { ok: false, reason: "store-calls-stuck" };
  const silent = silentPool(now, lives);
  // What it was silent for before the queue came back does not count.
  const isQueueBack = now - (lives.queueAnsweringSince ?? now) > silentMs;
  return silent === undefined || !isQueueBack ? ok : { ok: false, reason: `consumer-silent: ${silent}` };
}

export function readiness(vitals: Vitals): Health {
  const { now, lives, isStopping, loopLagMs } = vitals;
  if (isStopping) return { ok: false, reason: "stopping" };
  if (lives === undefined) return { ok: false, reason: "worker-disabled" };
  if (lives.sessionId === undefined) return { ok: false, reason: "no-session" };
  if (loopLagMs > blockedLoopMs) return { ok: false, reason: "event-loop-blocked" };
  const health = liveness(vitals);
  if (!health.ok) return health;
  const silent = silentPool(now, lives);
  return silent === undefined ? ok : { ok: false, reason: `queue-unavailable: ${silent}` };
}

/** A pool with a free slot for which nothing was taken or looked for lately. */
function silentPool(now: number, { consumers, triedAt }: NonNullable<Vitals["lives"]>): string | undefined {
  const silent = consumers.find(
    ({ consumer, slots }) => consumer.activeCount < slots && now - Math.max(consumer.lastLookedAt, triedAt) > silentMs,
  );
  return silent?.pool;
}

function isAbandoned({ state }: AttemptReport): boolean {
  return state === "abandoned";
}
