/**
 * Is this worker alive, is it ready: judged from what it did, not from whether a server answers a ping.
 *
 * 1. Alive = every consumer with a free slot took or looked for a message lately, or the worker is beginning
 *    a new session; an idle queue is looked at and trips nothing.
 * 2. A worker all of whose slots are held by attempts that ignore their abort is not alive.
 * 3. Ready = it holds a session and claims work.
 */
import type { AttemptReport } from "@baton/executor";
import type { Lives } from "@baton/runtime";

/** An idle consumer looks every 5 s. */
const silentMs = 45_000;
const blockedLoopMs = 5_000;

export interface Health {
  readonly ok: boolean;
  /** A stable word, with what it is about; "ok" when all is well. */
  readonly reason: string;
}

export interface Vitals {
  readonly now: number;
  readonly lives: Pick<Lives, "sessionId" | "consumers" | "triedAt" | "attempts"> | undefined;
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
  const silent = lives.consumers.find(
    ({ consumer, slots: own }) =>
      consumer.activeCount < own && now - Math.max(consumer.lastLookedAt, lives.triedAt) > silentMs,
  );
  return silent === undefined ? ok : { ok: false, reason: `consumer-silent: ${silent.pool}` };
}

export function readiness(vitals: Vitals): Health {
  const { lives, isStopping, loopLagMs } = vitals;
  if (isStopping) return { ok: false, reason: "stopping" };
  if (lives === undefined) return { ok: false, reason: "worker-disabled" };
  if (lives.sessionId === undefined) return { ok: false, reason: "no-session" };
  if (loopLagMs > blockedLoopMs) return { ok: false, reason: "event-loop-blocked" };
  return liveness(vitals);
}

function isAbandoned({ state }: AttemptReport): boolean {
  return state === "abandoned";
}
