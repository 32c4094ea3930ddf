/**
 * An agent's journal: its calls in the ledger, in the order in which its loop makes them.
 *
 * Purpose: from the ledger's rows to the turns that they are, so that a worker goes on where another died. Boundary:
 * reads; what is written is written by who makes the calls.
 *
 * 1. A model call has the number after the last call before it; the calls that a turn asks for follow it in their
 *    places, those that are denied without a number. So every worker numbers alike.
 * 2. What people said to a question or to a call that waited for them counts, and stands with the questions; what other
 *    agents answered stands with the tasks that they did it in.
 * 3. A success counts. A refusal counts once the next turn has begun: the model was told of it. Everything else is made
 *    again, or asked after, by the ledger's rules.
 */
import { type AgentDefinition, type AgentTurn, type CallResult, subAgentTool } from "@baton/core/agent";
import type { JournaledCall, ModelReply, ModelToolCall } from "@baton/core/ports";
import { askUser, type AskedQuestion } from "@baton/core/questions";
import { boundedText } from "@baton/core/retry";
import { readable } from "../../context/text.ts";
import { nothingOmitted, type Omission } from "./prompt.ts";
import { rejectionOf } from "../../questions/approval.ts";
import { answerTold } from "../../questions/ask-user.ts";

/** The ledger's name for a model call: no tool's name has a slash. */
export const modelCall = "model/turn";

/** What the ledger keeps of a turn's model call. */
export type TurnRecord = Pick<ModelReply, "text" | "usage" | "costUsd" | "model"> & {
  readonly toolCalls: readonly ModelToolCall[];
  /** What the prompt left out; absent: nothing. */
  readonly omitted?: Omission;
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
  /** Of the last prompt. */
  readonly omission: Omission;
}

/** What the agent may call: its definition decides it alone. */
type Tools = Pick<ReadonlyMap<string, unknown>, "has">;

/** A result longer than this enters the history as its beginning. */
const longestResult = 20_000;

/** Whole results that are longer than what the history has of them, by the number of the call. */
export type LongResults = Map<number, string>;

export function successOf(output: unknown, callNo: number, long: LongResults): CallResult {
  const text = readable(output);
  if (text.length <= longestResult) return { content: text, isError: false };
  long.set(callNo, text);
  return { content: text.slice(0, longestResult).toWellFormed(), chars: text.length, isError: false };
}

export function refusalResult({ code, message }: { readonly code: string; readonly message: string }): CallResult {
  return { content: `${code}: ${boundedText(message, 2_000)}`, isError: true };
}

/** Why a tool that the definition does not name is not called. */
export const denialOf = (tool: string, { name, tools, agents }: AgentDefinition) => ({
  code: "unknown-tool",
  message: `${name} has no tool ${JSON.stringify(boundedText(tool, 120))}. It has: ${[...tools, ...agents.map(subAgentTool)].join(", ") || "none"}.`,
});

/** What is no call's result: the answer to a question, or a rejection. */
function toldByPerson({ tool, input }: ModelToolCall, asked: AskedQuestion | undefined): CallResult | undefined {
  if (tool === askUser) return answerTold(input, asked);
  return asked?.state === "rejected" ? refusalResult(rejectionOf(asked, tool)) : undefined;
}

export function turnOf(
  record: TurnRecord,
  callNo: number,
  tools: Tools,
  definition: AgentDefinition,
): { turn: Turn; nextCallNo: number } {
  let nextCallNo = callNo + 1;
  const results: (CallResult | undefined)[] = [];
  const callNos = record.toolCalls.map(({ tool }) => {
    const isAllowed = tools.has(tool);
    results.push(isAllowed ? undefined : refusalResult(denialOf(tool, definition)));
    return isAllowed ? nextCallNo++ : undefined;
  });
  const { text, toolCalls, usage, costUsd } = record;
  const tokens = usage.inputTokens + usage.outputTokens;
  return { turn: { text, toolCalls, results, callNos, tokens, costUsd }, nextCallNo };
}

interface Past {
  readonly found: readonly JournaledCall[];
  /** What agents that it called have answered, by the number of the call. */
  readonly answered: ReadonlyMap<number, CallResult>;
  readonly long: LongResults;
  readonly asked: ReadonlyMap<number, AskedQuestion>;
}

export function journalOf({ found, asked, answered, long }: Past, tools: Tools, definition: AgentDefinition): Journal {
  const byNo = new Map(found.map((call) => [call.callNo, call]));
  const turns: Turn[] = [];
  let at = 1;
  let omission = nothingOmitted;
  for (;;) {
    const made = byNo.get(at);
    if (made?.state !== "succeeded") return { turns, nextCallNo: at, omission };
    const record = JSON.parse(made.resultJson ?? "") as TurnRecord;
    omission = record.omitted ?? omission;
    const { turn, nextCallNo } = turnOf(record, at, tools, definition);
    const wasTold = byNo.has(nextCallNo);
    for (const [place, callNo] of turn.callNos.entries()) {
      if (callNo === undefined) continue;
      const call = byNo.get(callNo);
      if (call?.state === "succeeded")
        turn.results[place] = successOf(JSON.parse(call.resultJson ?? "null"), callNo, long);
      if (call?.state === "refused" && wasTold)
        turn.results[place] = refusalResult(JSON.parse(call.resultJson ?? "{}"));
      turn.results[place] ??=
        answered.get(callNo) ?? toldByPerson(turn.toolCalls[place] as ModelToolCall, asked.get(callNo));
    }
    turns.push(turn);
    at = nextCallNo;
  }
}
