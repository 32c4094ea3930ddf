/**
 * The arithmetic of budgets: what fits, what is reserved, what is settled.
 *
 * Purpose: says what the store's verbs do, and is tested against them. Boundary: pure; who locks what is the store's.
 *
 * 1. settled + reserved never exceeds a cap by a reservation; only a settlement above its reservation can, and that
 *    difference is its overrun.
 * 2. A call is reserved in every budget that it concerns, or in none.
 * 3. A reservation is settled once by what the call cost; until then it may be counted as lost, at its upper bound.
 */
import { type BudgetCaps, type BudgetKind, budgetKinds } from "./caps.ts";

export type Amounts = Readonly<Record<Exclude<BudgetKind, "wallMs">, number>>;

export interface BudgetState {
  readonly caps: BudgetCaps;
  readonly settled: Amounts;
  readonly reserved: Amounts;
  /** Since its task was created. */
  readonly elapsedMs: number;
}

export interface BudgetDemand {
  readonly kind: "model" | "tool";
  readonly inputTokens: number;
  readonly least: number;
  readonly most: number;
  readonly inputUsd: number;
  readonly usdPerOutputToken: number;
}

export interface BudgetRefusal {
  readonly kind: BudgetKind;
  readonly cap: number;
  readonly settled: number;
  readonly reserved: number;
  /** The least that the call needs. */
  readonly needed: number;
  /** It would fit, were it not for calls under way. */
  readonly later: boolean;
}

export type BudgetVerdict =
  | { readonly granted: number; readonly amounts: Amounts }
  /** By the place of the budget that refused. */
  | { readonly refusal: BudgetRefusal; readonly at: number };

export const nothing: Amounts = { tokens: 0, usd: 0, modelCalls: 0, toolCalls: 0 };

const nanos = (usd: number): number => Math.round(usd * 1e9);
const usdOf = (whole: number): number => whole / 1e9;

function amountsOf(demand: BudgetDemand, output: number): Amounts {
  if (demand.kind === "tool") return { ...nothing, toolCalls: 1 };
  return {
    tokens: demand.inputTokens + output,
    usd: usdOf(nanos(demand.inputUsd) + output * nanos(demand.usdPerOutputToken)),
    modelCalls: 1,
    toolCalls: 0,
  };
}

/** Output tokens for which `free` of a kind is enough; below 0: not even for none. */
function outputFor(kind: BudgetKind, free: number, demand: BudgetDemand): number {
  const enough = (holds: boolean): number => (holds ? Number.POSITIVE_INFINITY : -1);
  const { inputTokens, inputUsd, usdPerOutputToken } = demand;
  switch (kind) {
    case "tokens":
      return demand.kind === "tool" ? enough(true) : free - inputTokens;
    case "usd": {
      if (demand.kind === "tool") return enough(true);
      const left = nanos(free) - nanos(inputUsd);
      const rate = nanos(usdPerOutputToken);
      return rate === 0 ? enough(left >= 0) : Math.floor(left / rate);
    }
    case "modelCalls":
      return enough(demand.kind === "tool" || free >= 1);
    case "toolCalls":
      return enough(demand.kind === "model" || free >= 1);
    case "wallMs":
      return enough(free > 0);
  }
}

interface Check {
  readonly output: number;
  readonly refusal: BudgetRefusal | undefined;
}

function check(state: BudgetState, kind: BudgetKind, demand: BudgetDemand): Check {
  const cap = state.caps[kind];
  if (cap === undefined) return { output: Number.POSITIVE_INFINITY, refusal: undefined };
  const settled = kind === "wallMs" ? state.elapsedMs : state.settled[kind];
  const reserved = kind === "wallMs" ? 0 : state.reserved[kind];
  const free = kind === "usd" ? usdOf(nanos(cap) - nanos(settled) - nanos(reserved)) : cap - settled - reserved;
  const output = outputFor(kind, free, demand);
  if (output >= demand.least) return { output, refusal: undefined };
  const needed = kind === "wallMs" ? 0 : amountsOf(demand, demand.least)[kind];
  const later = reserved > 0 && outputFor(kind, cap - settled, demand) >= demand.least;
  return { output, refusal: { kind, cap, settled, reserved, needed, later } };
}

/** All or nothing over the budgets that a call concerns. A refusal for good is told before one for now. */
export function reserve(states: readonly BudgetState[], demand: BudgetDemand): BudgetVerdict {
  const checks = states.flatMap((state, at) => budgetKinds.map((kind) => ({ at, ...check(state, kind, demand) })));
  const refused = checks.flatMap(({ at, refusal }) => (refusal === undefined ? [] : [{ at, refusal }]));
  const told = refused.find(({ refusal }) => !refusal.later) ?? refused[0];
  if (told !== undefined) return told;
  const granted = Math.min(demand.most, ...checks.map(({ output }) => output));
  return { granted, amounts: amountsOf(demand, granted) };
}

export function add(one: Amounts, other: Amounts, sign: 1 | -1 = 1): Amounts {
  return {
    tokens: one.tokens + sign * other.tokens,
    usd: usdOf(nanos(one.usd) + sign * nanos(other.usd)),
    modelCalls: one.modelCalls + sign * other.modelCalls,
    toolCalls: one.toolCalls + sign * other.toolCalls,
  };
}

export const reserved = (state: BudgetState, amounts: Amounts): BudgetState => ({
  ...state,
  reserved: add(state.reserved, amounts),
});

export const settled = (state: BudgetState, held: Amounts, actual: Amounts): BudgetState => ({
  ...state,
  reserved: add(state.reserved, held, -1),
  settled: add(state.settled, actual),
});

/** What a call cost above what was reserved for it. */
export function overrunOf(held: Amounts, actual: Amounts): { readonly tokens: number; readonly usd: number } {
  return {
    tokens: Math.max(0, actual.tokens - held.tokens),
    usd: Math.max(0, usdOf(nanos(actual.usd) - nanos(held.usd))),
  };
}
