/** Every table, for typed queries of one's own. The truth is drizzle/*.sql. */
export { agent } from "./agents.ts";
export { artifact, blob } from "./artifacts.ts";
export { budget, reservation, spending } from "./budgets.ts";
export { chatMessage, chatThread } from "./chat.ts";
export { childTask } from "./children.ts";
export { effect } from "./effects.ts";
export { idempotencyKey } from "./idempotency.ts";
export { mcpServer, mcpTool } from "./mcp.ts";
export { agentNote } from "./notes.ts";
export { question } from "./questions.ts";
export { workerSession } from "./sessions.ts";
export { taskExecutionStep, taskExecutionStepEdge } from "./steps.ts";
export { taskExecution } from "./tasks.ts";
export { apiKey, tenant } from "./tenancy.ts";
export { taskCheckpoint, taskExecutionTrace } from "./traces.ts";
