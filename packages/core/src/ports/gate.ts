/**
 * The port to the gate before a provider's model, which the processes of an installation share.
 *
 * Purpose: all of them together behave as one client: they stop when the provider is away, look after it with few calls,
 * stay inside the limits that it tells, and come back slowly. Boundary: it decides when a call may go; what a call is, and
 * what its failure means, is the adapter's to say.
 *
 * 1. A call that was refused has cost nothing and counts as no failure.
 * 2. A report may be lost: what it would have told, later ones tell again.
 */

/** What providers limit per minute; `tokens` where one limit counts input and output together. */
export const limitKinds = ["requests", "input", "output", "tokens"] as const;
export type LimitKind = (typeof limitKinds)[number];

export interface CallNeed {
  /** Provider and model. */
  readonly key: string;
  /** Estimates. */
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** A call that may go, as its report names it. */
export interface CallPass {
  readonly key: string;
  /** Calls of the key so far, this one included. */
  readonly callNo: number;
  /** What calls so far were admitted with, per kind of limit. */
  readonly admitted: readonly number[];
  /** The provider is away, and this call looks whether it is back. */
  readonly isProbe: boolean;
  /** Whether its success is worth telling. */
  readonly isWatched: boolean;
}

/** Why a call may not go: `open` the provider is away; `unknown` it has not answered its first calls yet. */
export type GateReason = "open" | "unknown" | "asked-to-wait" | "limit" | "recovering";

export type Admission =
  /** To be sent after `waitMs`, which is short. */
  | { readonly pass: CallPass; readonly waitMs: number }
  | {
      readonly refused: {
        readonly reason: GateReason;
        /** When it is worth asking again: everybody who waits is told another time. */
        readonly waitMs: number;
        /** The limit that is used up. */
        readonly kind?: LimitKind;
        readonly perMinute?: number;
        /** What the provider said last, and since when it is away (Unix ms by the database's clock). */
        readonly problem?: string;
        readonly since?: number;
      };
    };

/** One limit as a provider tells it. */
export interface ToldLimit {
  readonly limit: number;
  readonly remaining: number;
  /** Until it is full again. */
  readonly resetMs: number | undefined;
}

/** Without limits and outcome: an answer has begun. */
export interface CallReport {
  readonly pass: CallPass;
  readonly limits?: Partial<Readonly<Record<LimitKind, ToldLimit>>>;
  /** `away`: nothing came of it that another try would not meet too; `throttled`: too many calls. */
  readonly outcome?: "ok" | "away" | "throttled";
  readonly retryAfterMs?: number;
  readonly problem?: string;
}

export interface ProviderGate {
  admitCall(need: CallNeed): Promise<Admission>;
  reportCall(report: CallReport): void;
}
