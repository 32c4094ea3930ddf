/** A process that has an MCP server running, says the pids of it and its children, and stays. */
import { toolCall } from "../call.ts";
import { misbehaving, openMcp } from "../mcp.ts";

const { registry } = await openMcp([misbehaving()]);
const { text } = (await registry.run("odd.children", {}, toolCall())) as { text: string };
process.stdout.write(`${text}\n`);
setInterval(() => undefined, 1_000);
