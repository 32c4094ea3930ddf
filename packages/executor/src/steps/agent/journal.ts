/**
 * An agent's journal: its calls in the ledger, in the order in which its loop makes them.
 *
 * Purpose: from the ledger's rows to the turns that they are, so that a worker goes on where another died. Boundary:
 * reads; what is written is written by who makes the calls.
 *
 * 1. A model call has the number after the last call before it; the calls that a turn asks for follow it in their
 *    places, those that are denied without a number. So every worker numbers alike.
 * 2. A success counts. A refusal counts once the next turn has begun: the model was told of it. Everything else is made
 *    again, or asked after, by the ledger's rules.
 */
import type { AgentTurn, CallResult } from "@baton/core/agent";
import type { JournaledCall, ModelReply, ModelToolCall } from "@baton/core/ports";
import { boundedText } from "@baton/core/retry";
import { readable } from "../../context/text.ts";

/** The ledger's name for a model call: no tool's name has a slash. */
export const modelCall = "model/turn";

/** What the ledger keeps of a turn's model call. */
export type TurnRecord = Pick<ModelReply, "text" | "usage" | "costUsd" | "model"> & {
  readonly toolCalls: readonly ModelToolCall[];
};

export interface Turn extends AgentTurn {
  readonly results: (CallResult | undefined)[];
  /** By the place of the call; undefined where it is denied. */
  readonly callNos: readonly (number | undefined)[];
  feedback?: string;
}

export interface Journal {
  readonly turns: Turn[];
  /** Of the next model call. */
  readonly nextCallNo: number;
}

/** What is denied, and why: decided by the definition alone. */
export type Denial = (call: ModelToolCall) => CallResult | undefined;

/** A result longer than this enters the history as its beginning. */
const longestResult = 20_000;

export function successOf(output: unknown): CallResult {
  const text = readable(output);
  if (text.length <= longestResult) return { content: text, isError: false };
  const cut = `${text.slice(0, longestResult).toWellFormed()}\n(the beginning of ${text.length} characters)`;
  return { content: cut, isError: false };
}

export function refusalResult({ code, message }: { readonly code: string; readonly message: string }): CallResult {
  return { content: `${code}: ${boundedText(message, 2_000)}`, isError: true };
}

export function turnOf(record: TurnRecord, callNo: number, denied: Denial): { turn: Turn; nextCallNo: number } {
  let nextCallNo = callNo + 1;
  const results: (CallResult | undefined)[] = [];
  const callNos = record.toolCalls.map((call) => {
    const denial = denied(call);
    results.push(denial);
    return denial === undefined ? nextCallNo++ : undefined;
  });
  const { text, toolCalls, usage, costUsd } = record;
  const tokens = usage.inputTokens + usage.outputTokens;
  return { turn: { text, toolCalls, results, callNos, tokens, costUsd }, nextCallNo };
}

export function journalOf(calls: readonly JournaledCall[], denied: Denial): Journal {
  const byNo = new Map(calls.map((call) => [call.callNo, call]));
  const turns: Turn[] = [];
  let at = 1;
  for (;;) {
    const made = byNo.get(at);
    if (made?.state !== "succeeded") return { turns, nextCallNo: at };
    const { turn, nextCallNo } = turnOf(JSON.parse(made.resultJson ?? "") as TurnRecord, at, denied);
    const wasTold = byNo.has(nextCallNo);
    for (const [place, callNo] of turn.callNos.entries()) {
      const call = callNo === undefined ? undefined : byNo.get(callNo);
      if (call?.state === "succeeded") turn.results[place] = successOf(JSON.parse(call.resultJson ?? "null"));
      if (call?.state === "refused" && wasTold)
        turn.results[place] = refusalResult(JSON.parse(call.resultJson ?? "{}"));
    }
    turns.push(turn);
    at = nextCallNo;
  }
}
