export { openAgentFolder } from "./agent-folder.ts";
export type { AgentFile, AgentFolder } from "./agent-folder.ts";
export { parseAgent } from "./agent-file.ts";
