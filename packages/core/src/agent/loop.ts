/**
 * The loop of an agent as data: what its journal says decides what comes next.
 *
 * Purpose: a worker that takes an agent over goes on exactly where the journal ends. Boundary: pure; who calls models
 * and tools and keeps the journal is the executor.
 *
 * 1. The same limits and the same journal have the same next move, on every worker.
 * 2. No turn begins before every call of the last one has its result.
 * 3. A limit is looked at before a turn, never in the middle of one: what a turn asked for is carried out or refused
 *    as a whole.
 */
import type { ModelToolCall } from "../ports/model.ts";
import type { AgentLimits } from "./definition.ts";

/** What the model is told of one of its calls. */
export interface CallResult {
  readonly content: string;
  /** Of the whole, where `content` is only its beginning. */
  readonly chars?: number;
  readonly isError: boolean;
}

/** One turn of the journal. */
export interface AgentTurn {
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  /** By the place of its call; undefined while it is not known. */
  readonly results: readonly (CallResult | undefined)[];
  /** The numbers of its calls in the ledger, by their places. */
  readonly callNos?: readonly (number | undefined)[];
  /** Input and output tokens. */
  readonly tokens: number;
  /** Null when the model has no price. */
  readonly costUsd: number | null;
  /** What is wrong with the answer of a turn that asked for nothing: the agent is told, and thinks again. */
  readonly feedback?: string;
}

/** How chat clients tell calls apart: ids of providers may repeat. `turn` from 1, `place` from 0. */
export const shownCallId = (turn: number, place: number): string => `call-${turn}-${place}`;

/** Why an agent ends before it has finished. */
export const agentStops = ["turns", "tool-calls", "tokens", "usd", "wall-clock", "repeating"] as const;
export type AgentStop = (typeof agentStops)[number];

export type AgentMove =
  | { readonly move: "think" }
  /** The places of the last turn's calls that have no result. */
  | { readonly move: "call"; readonly places: readonly number[] }
  | { readonly move: "finish"; readonly text: string }
  | { readonly move: "stop"; readonly reason: AgentStop };

/** As often in a row the same call with the same result says that nothing new will come. */
const repeatingAfter = 3;

export function nextMove(limits: AgentLimits, turns: readonly AgentTurn[], elapsedMs: number): AgentMove {
  const last = turns.at(-1);
  if (last !== undefined) {
    if (last.toolCalls.length === 0 && last.feedback === undefined) return { move: "finish", text: last.text };
    const places = [...last.toolCalls.keys()].filter((place) => last.results[place] === undefined);
    if (places.length > 0) return { move: "call", places };
  }
  const reason = stopOf(limits, turns, elapsedMs);
  return reason === undefined ? { move: "think" } : { move: "stop", reason };
}

function stopOf(limits: AgentLimits, turns: readonly AgentTurn[], elapsedMs: number): AgentStop | undefined {
  const sum = (of: (turn: AgentTurn) => number): number => turns.reduce((all, turn) => all + of(turn), 0);
  if (isRepeating(turns)) return "repeating";
  if (turns.length >= limits.turns) return "turns";
  if (sum(({ toolCalls }) => toolCalls.length) > limits.tool_calls) return "tool-calls";
  if (limits.tokens !== undefined && sum(({ tokens }) => tokens) >= limits.tokens) return "tokens";
  if (limits.usd !== undefined && sum(({ costUsd }) => costUsd ?? 0) >= limits.usd) return "usd";
  if (limits.wall_ms !== undefined && elapsedMs >= limits.wall_ms) return "wall-clock";
  return undefined;
}

function isRepeating(turns: readonly AgentTurn[]): boolean {
  const said: string[] = [];
  for (let at = turns.length - 1; at >= 0 && said.length < repeatingAfter; at--) {
    const { toolCalls, results } = turns[at] as AgentTurn;
    for (const [place, { tool, input }] of [...toolCalls.entries()].toReversed())
      said.push(JSON.stringify([tool, sorted(input), results[place]]));
  }
  const last = said.slice(0, repeatingAfter);
  return last.length === repeatingAfter && new Set(last).size === 1;
}

/** The order of members says nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}
