/** An attempt of an agent from its step: what it is told, what it may call, and how far its journal is. */
import { BatonError } from "@baton/core";
import { agentDefinition, type CallResult, memorySearch, memoryStore, resultsRead } from "@baton/core/agent";
import { tellAttachments } from "@baton/core/context";
import type { PerformContext, StepOutput, ToolSummary } from "@baton/core/ports";
import { askUser } from "@baton/core/questions";
import { z } from "zod";
import { gatherMaterial } from "../../context/material.ts";
import { freshTools, isForeign } from "../../effects/tools.ts";
import { withMemory } from "../../memory/tools.ts";
import { untilAnswered } from "../../pipeline/patience.ts";
import { askUserTool } from "../../questions/ask-user.ts";
import { conversationBefore } from "./conversation.ts";
import { journalOf, type LongResults } from "./journal.ts";
import { resultsReadTool, withResults } from "./results.ts";
import type { AgentPerformerParts, Run } from "./run.ts";
import { childTold, subAgentsOf } from "./sub-agents.ts";

/** Every agent may have them, whatever its task says of the installation's tools. */
const ownTools: ReadonlySet<string> = new Set([askUser, memoryStore, memorySearch]);

export async function openRun(given: AgentPerformerParts, context: PerformContext): Promise<Run> {
  const { step, config } = context;
  const definition = agentDefinition.parse(config["agent"]);
  const defined = z.array(agentDefinition).default([]).parse(config["agents"]);
  const subAgents = subAgentsOf(definition, defined);
  const long: LongResults = new Map();
  const remembering = withMemory(given.tools, given.store, definition.name, given.newId);
  const parts = { ...given, tools: withResults(remembering, (callNo) => wholeResult(run, callNo)) };
  const names = definition.tools.filter((name) => ownTools.has(name) || !isForeign(name, step.task.settings));
  await freshTools(given, names, context.signal);
  // A worker that lacks a tool has to say so before anything was spent.
  const tools = new Map<string, ToolSummary>([
    ...names.map((name) => [name, name === askUser ? askUserTool : parts.tools.find(name)] as const),
    ...[...subAgents].map(([name, { tool }]) => [name, tool] as const),
  ]);
  // So that every worker numbers the calls alike, it is there before it is told of.
  if (tools.size > 0) tools.set(resultsRead, resultsReadTool);
  const past =
    step.attemptNo === 1
      ? { found: [], asked: new Map(), answered: new Map(), long }
      : await readPast(parts, context, subAgents.size > 0, long);
  const approvals = [...(step.task.settings.approvals ?? []), ...definition.approvals];
  const history = config["conversation"] === true ? await conversationBefore(given, context) : undefined;
  const attached = history === undefined ? undefined : tellAttachments(step.task.input);
  const brief = {
    ...(history !== undefined && { history }),
    ...(attached !== undefined && attached.images.length > 0 && { images: attached.images }),
    instructions: definition.instructions,
    goal: step.task.goal,
    prompt: `${promptOf(context)}${attached?.text ?? ""}`,
    material: await gatherMaterial(context),
    outputSchema: definition.output_schema,
  };
  const told = { parts, context, definition, brief, tools, subAgents, defined, approvals };
  const run: Run = { ...told, ...past, ...journalOf(past, tools, definition) };
  return run;
}

function promptOf({ step, config }: PerformContext): string {
  const prompt = config["prompt"];
  if (typeof prompt === "string" && prompt !== "") return prompt;
  throw new BatonError("invalid-expression", `The prompt of step "${step.key}" must yield a text that is not empty.`);
}

type Past = Parameters<typeof journalOf>[0];

async function readPast(
  { store, log }: AgentPerformerParts,
  { step, signal }: PerformContext,
  hasSubAgents: boolean,
  long: LongResults,
): Promise<Past> {
  const read = async () => {
    const children = hasSubAgents ? store.children(step.ref) : [];
    const [found, questions, started] = await Promise.all([
      store.journal(step.ref),
      store.questions(step.ref),
      children,
    ]);
    const answered = new Map<number, CallResult>();
    for (const child of started) {
      const ref = { tenantId: step.ref.tenantId, taskId: child.childTaskId };
      const outputOf = async ({ output, blobId }: StepOutput) =>
        blobId === undefined ? output : await store.readOutput(ref, blobId);
      const told = await childTold(child, long, outputOf);
      if (told !== undefined) answered.set(child.callNo, told);
    }
    return { found, asked: new Map(questions.map((question) => [question.callNo, question])), answered, long };
  };
  const past = await untilAnswered(read, signal, log, "journal");
  if (past === undefined) throw signal.reason;
  return past;
}

function wholeResult({ long, turns }: Run, callNo: number): string | undefined {
  const known = long.get(callNo);
  if (known !== undefined) return known;
  for (const { callNos, results } of turns) {
    const place = callNos.indexOf(callNo);
    if (place >= 0) return results[place]?.content;
  }
  return undefined;
}
