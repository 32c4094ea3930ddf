/**
 * The step type `agent`: a loop of model turns and tool calls, each kept in the ledger before the next begins.
 *
 * Purpose: a worker that dies anywhere costs at most the calls it was in the middle of. Boundary: what comes next is
 * decided by core/agent, how a call is made by effects/.
 *
 * 1. A call that the ledger has is never made again; a model call that died with its worker is made again, and shown as
 *    lost.
 * 2. A tool that the definition does not name is never called: the model is told so, and the trace says it.
 * 3. What a tool certainly did not do is told to the model. A failure of another kind is the step's: its retry policy
 *    decides, and the next attempt goes on in the same turn.
 */
import { BatonError, RetryAfter } from "@baton/core";
import { agentDefinition, nextMove } from "@baton/core/agent";
import type { AgentStop, CallResult } from "@baton/core/agent";
import type { ModelToolCall, PerformContext, Performer, ToolSummary } from "@baton/core/ports";
import { gatherMaterial } from "../../context/material.ts";
import { callTool } from "../../effects/call.ts";
import { refusalOf } from "../../effects/refusal.ts";
import { untilAnswered } from "../../pipeline/patience.ts";
import { answerOf, createJudge } from "./answer.ts";
import { journalOf, refusalResult, successOf, type Turn } from "./journal.ts";
import type { AgentPerformerParts, Run } from "./run.ts";
import { think } from "./turn.ts";

export function createAgentPerformer(parts: AgentPerformerParts): Performer {
  return async (context) => {
    const run = await openRun(parts, context);
    const { definition, turns, found } = run;
    const judge = createJudge(definition, context);
    for (const turn of turns) judge(turn, false);
    const begunAt = found[0]?.createdAt ?? parts.clock();
    for (;;) {
      const move = nextMove(definition.limits, turns, parts.clock() - begunAt);
      switch (move.move) {
        case "finish":
          return { performed: "output", output: answerOf(definition, move.text) };
        case "stop":
          throw stopped(run, move.reason);
        case "think":
          judge(await think(run), true);
          break;
        case "call":
          await callAll(run, move.places);
      }
    }
  };
}

async function openRun(parts: AgentPerformerParts, context: PerformContext): Promise<Run> {
  const { step, config } = context;
  const definition = agentDefinition.parse(config["agent"]);
  // A worker that lacks a tool has to say so before anything was spent.
  const tools = new Map(definition.tools.map((name) => [name, parts.tools.find(name)]));
  const found = step.attemptNo === 1 ? [] : await readJournal(parts, context);
  const brief = {
    instructions: definition.instructions,
    goal: step.task.goal,
    prompt: promptOf(context),
    material: await gatherMaterial(context),
    outputSchema: definition.output_schema,
  };
  return { parts, context, definition, brief, tools, found, ...journalOf(found, tools, definition) };
}

function promptOf({ step, config }: PerformContext): string {
  const prompt = config["prompt"];
  if (typeof prompt === "string" && prompt !== "") return prompt;
  throw new BatonError("invalid-expression", `The prompt of step "${step.key}" must yield a text that is not empty.`);
}

async function readJournal({ store, log }: AgentPerformerParts, { step, signal }: PerformContext) {
  const calls = await untilAnswered(() => store.journal(step.ref), signal, log, "journal");
  if (calls === undefined) throw signal.reason;
  return calls;
}

/** All that are left of one turn, at once; the first failure that is the step's ends the attempt when all have ended. */
async function callAll(run: Run, places: readonly number[]): Promise<void> {
  const turn = run.turns.at(-1) as Turn;
  const ended = await Promise.allSettled(
    places.map(async (place) => {
      turn.results[place] = await callOne(run, turn.toolCalls[place] as ModelToolCall, turn.callNos[place] as number);
    }),
  );
  const failed = ended.find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

async function callOne({ parts, context, tools }: Run, call: ModelToolCall, callNo: number): Promise<CallResult> {
  const tool = tools.get(call.tool) as ToolSummary;
  try {
    return successOf(await callTool(parts, context, { tool, args: call.input, callNo, isLast: false }));
  } catch (error) {
    const refusal = error instanceof RetryAfter || context.signal.aborted ? undefined : refusalOf(error);
    if (refusal === undefined) throw error;
    context.trace({ type: "tool-refused", data: { callNo, tool: tool.name, ...refusal } });
    return refusalResult(refusal);
  }
}

function stopped({ context, definition, turns }: Run, reason: AgentStop): BatonError {
  context.trace({ type: "agent-stopped", data: { reason, turns: turns.length } });
  const why =
    reason === "repeating"
      ? "it made the same call three times in a row with the same result"
      : `its limit of ${reason} is reached`;
  return new BatonError("agent-stopped", `The agent ${definition.name} stopped after ${turns.length} turns: ${why}.`);
}
