/**
 * The rules by which a session's thread keeps its lease, and ends the process that can no longer be trusted.
 *
 * Purpose: decides when a lease counts as renewed, when as lost, and when the process must die. Boundary: no clock,
 * timer, connection or signal of its own; the thread hands them in (beat.ts).
 *
 * 1. A lease runs from when its beat was sent, by monotonic time; when the reply comes does not matter.
 * 2. It is given up at 0.9 of its length, before the database's clock lets another worker reap it.
 * 3. A loss is told once; unacknowledged for 2 s, it ends the process.
 * 4. An attempt that is 5 s past its deadline ends the process when the main thread has been silent for 2 s; what ran
 *    beside it is given up first.
 * 5. A pause of this thread itself (the machine slept, the process was stopped) is no sign against the main thread.
 */
import type { StopSignal } from "@baton/core/ports";

export type FromBeat =
  | { readonly lost: string }
  | { readonly stop: readonly StopSignal[] }
  | { readonly failed: string };
/** The first message to the thread: when the lease was asked for, by `monotonicMs`. */
export interface Grant {
  readonly grantedAt: number;
}
export type ToBeat =
  | { readonly alive: true; readonly earliestDeadline: number | undefined }
  | { readonly acknowledged: true };

export interface BeatAnswer {
  /** False when another process ended the session. */
  readonly alive: boolean;
  /** What must stop, for a worker that missed the notification. */
  readonly stop: readonly StopSignal[];
}

export interface LeaseOptions {
  readonly leaseMs: number;
  /** Monotonic ms at which the first lease was asked for. */
  readonly grantedAt: number;
  /** Sends one beat; rejects when no answer came in time. */
  readonly beat: () => Promise<BeatAnswer>;
  readonly monotonicMs: () => number;
  /** Unix ms, as the deadlines of attempts are. */
  readonly unixMs: () => number;
  readonly tell: (message: FromBeat) => void;
  /** Ends the process with SIGKILL: a thread cannot abort the main one. */
  readonly kill: () => void;
  /** Ends the process too, after the session was ended in order; called once. */
  readonly giveUp: () => void;
}

export interface Lease {
  hear(message: ToBeat): void;
  /** Resolves after the answer, or after it is known that none comes. */
  renew(): Promise<void>;
  /** Looks at the clocks; called several times a second. */
  fence(): void;
  readonly isLost: boolean;
}

const givenUpAt = 0.9;
const acknowledgedWithinMs = 2_000;
const silentAfterMs = 2_000;
const deadlineGraceMs = 5_000;
/** The thread looks several times a second. */
const pausedAfterMs = 1_000;

export function createLease(options: LeaseOptions): Lease {
  const { monotonicMs, tell, kill, giveUp } = options;
  let renewedAt = options.grantedAt;
  let mainSeenAt = monotonicMs();
  let lookedAt = mainSeenAt;
  let isGivenUp = false;
  let earliestDeadline: number | undefined;
  let lostAt: number | undefined;
  let isAcknowledged = false;

  const lose = (message: string): void => {
    if (lostAt !== undefined) return;
    lostAt = monotonicMs();
    tell({ lost: message });
  };

  return {
    hear: (message) => {
      if ("acknowledged" in message) {
        isAcknowledged = true;
        return;
      }
      mainSeenAt = monotonicMs();
      earliestDeadline = message.earliestDeadline;
    },
    renew: async () => {
      const sentAt = monotonicMs();
      try {
        const { alive, stop } = await options.beat();
        if (!alive) {
          lose("The session was ended by another process: its lease ran out.");
          return;
        }
        renewedAt = sentAt;
        if (stop.length > 0) tell({ stop });
      } catch (error) {
        tell({ failed: error instanceof Error ? error.message : String(error) });
      }
    },
    fence: () => {
      const now = monotonicMs();
      if (now - lookedAt > pausedAfterMs) mainSeenAt = now;
      lookedAt = now;
      const isSilent = now - mainSeenAt > silentAfterMs;
      const isOverdue = earliestDeadline !== undefined && options.unixMs() > earliestDeadline + deadlineGraceMs;
      const isIgnored = lostAt !== undefined && !isAcknowledged && now - lostAt > acknowledgedWithinMs;
      if (isIgnored) kill();
      if (isSilent && isOverdue && !isGivenUp) {
        isGivenUp = true;
        giveUp();
      }
      if (now - renewedAt > options.leaseMs * givenUpAt) lose("The lease could not be renewed in time.");
    },
    get isLost() {
      return lostAt !== undefined;
    },
  };
}
