/**
 * The most that one model call may cost, before it is made.
 *
 * Purpose: input is counted, output is bounded by `max_tokens`; so a call's tokens and dollars are known from above.
 * Boundary: pure; who counts and who prices is the adapter's.
 *
 * 1. A reservation is never below what the call costs, as long as its input was not counted too low.
 * 2. Dollars are whole billionths inside, rounded up: the same sums in JavaScript and in PostgreSQL.
 */
import type { CallBound } from "../ports/model.ts";

/** An answer shorter than this is of no use: a call that gets no more is not made. */
export const leastOutputTokens = 256;

/** US dollars rounded up to the billionth. */
export function roundedUsd(usd: number): number {
  const nanos = usd * 1e9;
  // 0.1 + 0.2 is no reason to pay a billionth more.
  const whole = Math.round(nanos);
  return (Math.abs(nanos - whole) < 1e-3 ? whole : Math.ceil(nanos)) / 1e9;
}

export interface OutputRange {
  /** With fewer output tokens the call is not made. */
  readonly least: number;
  readonly most: number;
}

/** What a plan asks for by name is not shortened; what it leaves open is fitted to the budget. */
export function outputRange({ maxOutputTokens }: CallBound, named: number | undefined): OutputRange {
  if (named !== undefined) return { least: named, most: named };
  return { least: Math.min(leastOutputTokens, maxOutputTokens), most: maxOutputTokens };
}
