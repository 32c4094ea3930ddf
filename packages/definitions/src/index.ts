export { openAgentFolder } from "./agent-folder.ts";
export type { AgentFile, AgentFolder } from "./agent-folder.ts";
export { parseAgent } from "./agent-file.ts";
export { maxEvaluationBytes, parseEvaluationSets } from "./evaluation-set.ts";
export type { EvaluationSet, LabelledGoal, LabelledMessage } from "./evaluation-set.ts";
