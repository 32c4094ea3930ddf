export { agentDefinition, agentLimits, agentName } from "./definition.ts";
export type { AgentDefinition, AgentDefinitionInput, AgentLimits } from "./definition.ts";
export { agentStops, nextMove, shownCallId } from "./loop.ts";
export type { AgentMove, AgentStop, AgentTurn, CallResult } from "./loop.ts";
export { maxDepth, reachableAgents, resultsRead, subAgentInput, subAgentTool } from "./sub-agents.ts";
export { memorySearch, memoryStore, noteLimits } from "./memory.ts";
export type { AgentNote } from "./memory.ts";
