/**
 * Agents that an agent calls: each call is a task of its own, which the step waits for without a worker.
 *
 * 1. A child is begun in the transaction that lets its parent wait, once per call: no worker that dies begins it twice.
 * 2. It sees its instructions and what it was given, and nothing of its siblings or of its parent's history.
 * 3. What a child is refused, and a child that fails, is told to the agent.
 */
import { type AgentDefinition, type CallResult, maxDepth, subAgentInput, subAgentTool } from "@baton/core/agent";
import type { ChildTask, NewChild, StepOutput } from "@baton/core/ports";
import { layOutTask } from "@baton/core/task";
import { z } from "zod";
import { type LongResults, refusalResult, successOf } from "./journal.ts";
import type { Run, SubAgent } from "./run.ts";

const inputSchema = z.toJSONSchema(subAgentInput, { target: "draft-2020-12", io: "input" }) as Record<string, unknown>;

/** Those that the definition names, by the names of their tools. `defined`: what the step keeps. */
export function subAgentsOf(
  definition: AgentDefinition,
  defined: readonly AgentDefinition[],
): ReadonlyMap<string, SubAgent> {
  const known = new Map([definition, ...defined].map((each) => [each.name, each]));
  return new Map(
    definition.agents.flatMap((name) => {
      const found = known.get(name);
      return found === undefined ? [] : [[subAgentTool(name), subAgentOf(found)] as const];
    }),
  );
}

function subAgentOf(definition: AgentDefinition): SubAgent {
  const description = `Gives work to the agent ${definition.name} and waits for its answer. It knows nothing but the prompt. ${definition.description}`;
  const tool = {
    name: subAgentTool(definition.name),
    description,
    inputSchema,
    outputSchema: definition.output_schema ?? { type: "string" },
    effect: "read",
  } as const;
  return { definition, tool: Object.freeze(tool) };
}

/** What is told at once, or the task that the call becomes. */
export function childFor(
  { parts, context, defined }: Pick<Run, "parts" | "context" | "defined">,
  { definition }: SubAgent,
  args: unknown,
  callNo: number,
): CallResult | NewChild {
  const parsed = subAgentInput.safeParse(args);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const message = `/${issue?.path.join("/") ?? ""}: ${issue?.message ?? ""}`;
    return refusalResult({ code: "tool-input-invalid", message });
  }
  const { settings, depth } = context.step.task;
  if (depth >= maxDepth) {
    const message = `Agents may call agents ${maxDepth} deep, and this one is ${depth} deep. Do it yourself.`;
    return refusalResult({ code: "forbidden", message });
  }
  const { prompt } = parsed.data;
  const step = { id: "agent", type: "agent" as const, agent: definition, agents: [...defined], prompt };
  const task = layOutTask({ goal: prompt, plan: { steps: [step] } }, { settings, newId: parts.newId });
  return { childTaskId: parts.newId(), callNo, agent: definition.name, task };
}

/** What the agent is told of a child that has ended; undefined while it is open. */
export async function childTold(
  { callNo, agent, state, output, error }: ChildTask,
  long: LongResults,
  read: (output: StepOutput) => Promise<unknown>,
): Promise<CallResult | undefined> {
  if (state === "open") return undefined;
  if (state === "completed") return successOf(output === undefined ? null : await read(output), callNo, long);
  if (state === "cancelled") return refusalResult({ code: "cancelled", message: `The agent ${agent} was cancelled.` });
  const { code = "internal", message = "" } = error ?? {};
  return refusalResult({ code, message: `The agent ${agent} failed: ${message}` });
}
