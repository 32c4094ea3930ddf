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
import type { AgentDefinition, AgentStop, CallResult } from "@baton/core/agent";
import type {
  EffectIntent,
  EngineStore,
  ModelPort,
  ModelTool,
  ModelToolCall,
  PerformContext,
  Performer,
  ToolSummary,
} from "@baton/core/ports";
import { gatherMaterial } from "../../context/material.ts";
import { type CallParts, callTool } from "../../effects/call.ts";
import { failureOf, refusalOf } from "../../effects/refusal.ts";
import { encodeOutput } from "../../output/encoding.ts";
import { untilAnswered } from "../../pipeline/patience.ts";
import { createOutputValidator } from "../llm/schema.ts";
import {
  type Denial,
  journalOf,
  modelCall,
  refusalResult,
  successOf,
  type Turn,
  turnOf,
  type TurnRecord,
} from "./journal.ts";
import { type AgentBrief, agentPrompt } from "./prompt.ts";

export interface AgentPerformerParts extends CallParts {
  readonly store: CallParts["store"] & Pick<EngineStore, "journal">;
  readonly models: ModelPort;
}

const maxRepairs = 2;

/** One attempt of an agent. */
interface Run {
  readonly parts: AgentPerformerParts;
  readonly context: PerformContext;
  readonly definition: AgentDefinition;
  readonly brief: AgentBrief;
  readonly tools: ReadonlyMap<string, ToolSummary>;
  readonly denied: Denial;
  readonly turns: Turn[];
  nextCallNo: number;
}

export function createAgentPerformer(parts: AgentPerformerParts): Performer {
  return async (context) => {
    const { step, config } = context;
    const definition = agentDefinition.parse(config["agent"]);
    // A worker that lacks a tool has to say so before anything was spent.
    const tools = new Map(definition.tools.map((name) => [name, parts.tools.find(name)]));
    const denied: Denial = ({ tool }) => (tools.has(tool) ? undefined : refusalResult(denialOf(tool, definition)));
    const calls = step.attemptNo === 1 ? [] : await journalOfStep(parts, context);
    const { turns, nextCallNo } = journalOf(calls, denied);
    const brief: AgentBrief = {
      instructions: definition.instructions,
      goal: step.task.goal,
      prompt: promptOf(context),
      material: await gatherMaterial(context),
      outputSchema: definition.output_schema,
    };
    const run: Run = { parts, context, definition, brief, tools, denied, turns, nextCallNo };
    const judge = judgeOf(run);
    for (const turn of turns) judge(turn, false);
    const begunAt = calls[0]?.createdAt ?? parts.clock();
    for (;;) {
      const move = nextMove(definition.limits, turns, parts.clock() - begunAt);
      switch (move.move) {
        case "finish":
          return { performed: "output", output: outputOf(run, move.text) };
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

const denialOf = (tool: string, { name, tools }: AgentDefinition) => ({
  code: "unknown-tool",
  message: `${name} has no tool ${JSON.stringify(tool)}. It has: ${tools.length === 0 ? "none" : tools.join(", ")}.`,
});

function promptOf({ step, config }: PerformContext): string {
  const prompt = config["prompt"];
  if (typeof prompt === "string" && prompt !== "") return prompt;
  throw new BatonError("invalid-expression", `The prompt of step "${step.key}" must yield a text that is not empty.`);
}

async function journalOfStep({ store, log }: AgentPerformerParts, { step, signal }: PerformContext) {
  const calls = await untilAnswered(() => store.journal(step.ref), signal, log, "journal");
  if (calls === undefined) throw signal.reason;
  return calls;
}

/** One model turn, kept before anything that it asks for is done. */
async function think(run: Run): Promise<Turn> {
  const { parts, context, definition, brief, turns, tools, nextCallNo: callNo } = run;
  const { step, signal } = context;
  const model = parts.models.resolve(definition.model ?? step.task.settings.model);
  const told = { turn: turns.length + 1, model };
  const intent: EffectIntent = {
    ref: step.ref,
    attemptNo: step.attemptNo,
    callNo,
    tool: modelCall,
    effect: "read",
    argumentsJson: JSON.stringify(told),
  };
  const start = await untilAnswered(() => parts.store.startEffect(intent), signal, parts.log, "start-effect");
  if (start === undefined) throw signal.reason;
  if (start.start === "replay") return taken(run, JSON.parse(start.resultJson) as TurnRecord);
  if (start.start !== "call") throw leaseLost();
  const lost = start.earlierUnknown
    ? [{ type: "model-call-lost" as const, data: { callNo, model, attemptNo: step.attemptNo - 1 } }]
    : [];
  const { reply, account } = await context
    .generateApart("agent", {
      model,
      brief: { kind: "agent", goal: brief.goal, instruction: brief.prompt },
      messages: agentPrompt(brief, turns),
      tools: [...tools.values()].map(
        ({ name, description, inputSchema }): ModelTool => ({ name, description, inputSchema }),
      ),
      onDelta: (text) => context.delta(text),
    })
    .catch(async (error: unknown) => {
      // Of a call that was given up in the middle nobody knows what it cost.
      if (!signal.aborted)
        await keep(run, { callNo, state: "refused", resultJson: JSON.stringify(failureOf(error)), traces: lost });
      throw error;
    });
  if (reply.finishReason === "length") {
    const message = `A turn of step "${step.key}" was cut off. Let the agent answer in smaller pieces.`;
    await keep(run, {
      callNo,
      state: "refused",
      resultJson: JSON.stringify({ code: "output-cut", message }),
      traces: [...lost, ...account.traces],
      usage: account.usage,
    });
    throw new BatonError("output-cut", message);
  }
  const { text, usage, costUsd, toolCalls = [] } = reply;
  const record: TurnRecord = { text, toolCalls, usage, costUsd, model: reply.model };
  await keep(run, {
    callNo,
    state: "succeeded",
    resultJson: encodeOutput(record, "output-invalid"),
    traces: [...lost, ...account.traces],
    usage: account.usage,
  });
  return taken(run, record);
}

interface Kept {
  readonly callNo: number;
  readonly state: "succeeded" | "refused";
  readonly resultJson: string;
  readonly traces: NonNullable<Parameters<EngineStore["finishEffect"]>[1]["account"]>["traces"];
  readonly usage?: NonNullable<Parameters<EngineStore["finishEffect"]>[1]["account"]>["usage"] | undefined;
}

async function keep({ parts, context }: Run, { callNo, state, resultJson, traces, usage }: Kept): Promise<void> {
  const { step, signal } = context;
  const account = { traces, ...(usage !== undefined && { usage }) };
  const write = () =>
    parts.store.finishEffect(step.ref, { callNo, attemptNo: step.attemptNo, state, resultJson, account });
  const written = await untilAnswered(write, signal, parts.log, "finish-effect");
  if (written === undefined) throw signal.reason;
  // Another attempt has made the same call: its answer counts, and its worker goes on.
  if (written.late) throw leaseLost();
}

const leaseLost = (): BatonError => new BatonError("lease-lost", "Another attempt of this agent has gone on.");

function taken(run: Run, record: TurnRecord): Turn {
  const { turn, nextCallNo } = turnOf(record, run.nextCallNo, run.denied);
  for (const [place, callNo] of turn.callNos.entries()) {
    const tool = turn.toolCalls[place]?.tool ?? "";
    if (callNo === undefined)
      run.context.trace({ type: "tool-refused", data: { tool, ...denialOf(tool, run.definition) } });
  }
  run.turns.push(turn);
  run.nextCallNo = nextCallNo;
  return turn;
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

type Judge = (turn: Turn, isNew: boolean) => void;

/** Tells a turn that wants to end whether its answer may. */
function judgeOf({ definition, context }: Run): Judge {
  const { output_schema: schema } = definition;
  if (schema === undefined) return () => undefined;
  const validate = createOutputValidator(schema);
  let repairs = 0;
  return (turn, isNew) => {
    if (turn.toolCalls.length > 0) return;
    const value = parsed(turn.text);
    const verdict = "problem" in value ? { valid: false as const, problems: [value.problem] } : validate(value.json);
    if (verdict.valid) return;
    if (isNew) context.trace({ type: "output-rejected", data: { problems: [...verdict.problems], repair: repairs } });
    if (repairs++ === maxRepairs) {
      const problems = verdict.problems.join("; ");
      throw new BatonError(
        "output-invalid",
        `The agent's answer does not match output_schema after ${maxRepairs} repairs: ${problems}`,
      );
    }
    const listed = verdict.problems.map((problem) => `- ${problem}`).join("\n");
    turn.feedback = `That answer does not match the schema:\n${listed}\nAnswer again with the corrected JSON and nothing else.`;
  };
}

function parsed(text: string): { readonly json: unknown } | { readonly problem: string } {
  const fenced = /^\s*```(?:json)?\s*\n([\s\S]*?)\n```\s*$/.exec(text);
  try {
    return { json: JSON.parse(fenced?.[1] ?? text) };
  } catch (error) {
    return { problem: `it is not JSON: ${(error as Error).message}` };
  }
}

function outputOf({ definition }: Run, text: string): unknown {
  if (definition.output_schema === undefined) return text;
  const value = parsed(text);
  return "json" in value ? value.json : text;
}

function stopped({ context, definition, turns }: Run, reason: AgentStop): BatonError {
  context.trace({ type: "agent-stopped", data: { reason, turns: turns.length } });
  const why =
    reason === "repeating"
      ? "it made the same call three times in a row with the same result"
      : `its limit of ${reason} is reached`;
  return new BatonError("agent-stopped", `The agent ${definition.name} stopped after ${turns.length} turns: ${why}.`, {
    details: { reason, turns: turns.length, text: turns.findLast(({ text }) => text !== "")?.text ?? "" },
  });
}
