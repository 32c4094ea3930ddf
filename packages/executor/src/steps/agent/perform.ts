/**
 * The step type `agent`: a loop of model turns and tool calls, each kept in the ledger before the next begins.
 *
 * Purpose: a worker that dies anywhere costs at most the calls it was in the middle of. Boundary: what comes next is
 * decided by core/agent, how a call is made by effects/.
 *
 * 1. A call that the ledger has is never made again; a model call that died with its worker is made again, and shown as
 *    lost.
 * 2. A tool that the definition does not name, or the task does not allow, is never called: the model is told so, and the trace says it.
 * 3. A call that waits for a person's word, and a question of the agent's own, let the step wait without a worker once
 *    the other calls of the turn are made; what was said stands in the journal of questions.
 * 4. Agents that it calls work in tasks of their own, which the step waits for in the same way.
 * 5. What a tool certainly did not do is told to the model. A failure of another kind is the step's: its retry policy
 *    decides, and the next attempt goes on in the same turn.
 */
import { BatonError, RetryAfter } from "@baton/core";
import { nextMove } from "@baton/core/agent";
import type { AgentStop, CallResult } from "@baton/core/agent";
import type { ModelToolCall, NewChild, Performed, Performer, ToolSummary } from "@baton/core/ports";
import type { NewQuestion } from "@baton/core/questions";
import { stepBack } from "../../context/summary-step.ts";
import { callTool } from "../../effects/call.ts";
import { refusalOf } from "../../effects/refusal.ts";
import { judgeCall, ruleFor } from "../../questions/approval.ts";
import { answerTold, askUserTool, questionOf } from "../../questions/ask-user.ts";
import { answerOf, createJudge } from "./answer.ts";
import { isConversation, saidBy } from "./conversation.ts";
import { roomOf } from "./history.ts";
import { agentPrompt, nothingOmitted } from "./prompt.ts";
import { refusalResult, successOf, type Turn } from "./journal.ts";
import { openRun } from "./open.ts";
import { type AgentPerformerParts, modelOf, type Run } from "./run.ts";
import { childFor } from "./sub-agents.ts";
import { think } from "./turn.ts";

export function createAgentPerformer(parts: AgentPerformerParts): Performer {
  return async (context) => {
    const run = await openRun(parts, context);
    const { definition, turns, found } = run;
    const deferred = turns.length === 0 ? await withoutRoom(run) : undefined;
    if (deferred !== undefined) return deferred;
    const judge = createJudge(definition, context);
    for (const turn of turns) judge(turn, false);
    const begunAt = found[0]?.createdAt ?? parts.clock();
    for (;;) {
      await context.failPoint("before-move");
      const move = nextMove(definition.limits, turns, parts.clock() - begunAt);
      switch (move.move) {
        case "finish":
          return { performed: "output", output: isConversation(run) ? saidBy(run) : answerOf(definition, move.text) };
        case "stop":
          throw stopped(run, move.reason);
        case "think":
          judge(await think(run), true);
          tellTurn(run);
          break;
        case "call": {
          const { questions, children } = await callAll(run, move.places);
          if (questions.length + children.length > 0) return { performed: "asked", questions, children };
        }
      }
    }
  };
}

/** Material that does not fit the first prompt is summarised before the agent begins. */
async function withoutRoom(run: Run): Promise<Performed | undefined> {
  const { brief, context, parts } = run;
  if (brief.material.length === 0) return undefined;
  const { budget, usable } = await roomOf(run, modelOf(run));
  if ((await budget.count(agentPrompt(brief, [], nothingOmitted))) <= usable) return undefined;
  const bare = agentPrompt({ ...brief, material: [] }, [], nothingOmitted);
  return await stepBack({ context, budget, usable, bare, newId: parts.newId });
}

/** Watchers read the journal when they hear of it. */
const tellTurn = ({ context, turns }: Run): void => context.progress(`turn ${turns.length}`);

/**
 * All that are left of one turn, at once; the first failure that is the step's ends the attempt when all have ended.
 * Resolves to what people have to say and other agents to answer before the turn can go on.
 */
async function callAll(
  run: Run,
  places: readonly number[],
): Promise<{ readonly questions: readonly NewQuestion[]; readonly children: readonly NewChild[] }> {
  const turn = run.turns.at(-1) as Turn;
  const questions: NewQuestion[] = [];
  const children: NewChild[] = [];
  const ended = await Promise.allSettled(
    places.map(async (place) => {
      const said = await callOne(run, turn.toolCalls[place] as ModelToolCall, turn.callNos[place] as number);
      if ("questionId" in said) questions.push(said);
      else if ("childTaskId" in said) children.push(said);
      else turn.results[place] = said;
      tellTurn(run);
    }),
  );
  const failed = ended.find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return { questions, children };
}

async function callOne(run: Run, call: ModelToolCall, callNo: number): Promise<CallResult | NewQuestion | NewChild> {
  const { parts, context, tools, approvals, asked } = run;
  const { step } = context;
  const tool = tools.get(call.tool) as ToolSummary;
  if (tool === askUserTool) return askPerson(run, call, callNo);
  const rule = ruleFor(approvals, step, tool, call.input);
  if (rule === undefined) return await makeCall(run, tool, call.input, callNo);
  const judged = judgeCall(rule, { step, tool, args: call.input, callNo, newId: parts.newId }, asked.get(callNo));
  switch (judged.verdict) {
    case "ask":
      return judged.question;
    case "rejected":
      return refusalResult(judged.error);
    case "call":
      return await makeCall(run, tool, judged.args, callNo);
  }
}

function askPerson(
  { parts, definition, asked }: Run,
  { input }: ModelToolCall,
  callNo: number,
): CallResult | NewQuestion {
  const told = answerTold(input, asked.get(callNo));
  return told ?? questionOf(input, callNo, definition.limits.answer_ms, parts.newId);
}

async function makeCall(run: Run, tool: ToolSummary, args: unknown, callNo: number): Promise<CallResult | NewChild> {
  const { parts, context, subAgents } = run;
  const subAgent = subAgents.get(tool.name);
  if (subAgent !== undefined) return childFor(run, subAgent, args, callNo);
  try {
    return successOf(await callTool(parts, context, { tool, args, callNo, isLast: false }), callNo, run.long);
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
