/**
 * Agents that agents call.
 *
 * 1. A step keeps the definitions of all that may be reached from its agent, so that a task keeps its agents.
 * 2. Names may go in circles: what ends them is the depth.
 */
import { z } from "zod";
import type { AgentDefinition } from "./definition.ts";

/** How many tasks may stand above a task that an agent started. */
export const maxDepth = 5;

/** What an agent gives to one that it calls. */
export const subAgentInput = z.strictObject({
  prompt: z.string().trim().min(1).max(100_000),
});

/** The tool by which an agent reads on in a result that it was told only in part. */
export const resultsRead = "results.read";

const prefix = "agent.";

/** The tool by which an agent calls another. */
export const subAgentTool = (name: string): string => `${prefix}${name}`;

/** What a step's agent may reach, without it, and the names that nobody defines. */
export function reachableAgents(
  agent: AgentDefinition,
  defined: ReadonlyMap<string, AgentDefinition>,
): { readonly reached: readonly AgentDefinition[]; readonly missing: readonly string[] } {
  const reached = new Map<string, AgentDefinition>();
  const missing = new Set<string>();
  const open = [...agent.agents];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (reached.has(name) || missing.has(name)) continue;
    const found = name === agent.name ? agent : defined.get(name);
    if (found === undefined) missing.add(name);
    else {
      reached.set(name, found);
      open.push(...found.agents);
    }
  }
  return { reached: [...reached.values()], missing: [...missing] };
}
