/** An MCP server by the official library: `makeServer` for a test's own HTTP server; as a program, over stdio. */
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

export function makeServer(): McpServer {
  const made = new McpServer({ name: "good", version: "1" });
  const sum = z.object({ sum: z.number() });
  const [a, b] = [z.number(), z.number()];
  made.registerTool(
    "add",
    {
      description: "Adds two numbers.",
      inputSchema: z.object({ a, b }),
      outputSchema: sum,
      annotations: { readOnlyHint: true },
    },
    (given) => {
      const structuredContent = { sum: given.a + given.b };
      return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
    },
  );
  made.registerTool(
    "forget",
    {
      description: "Forgets everything.",
      inputSchema: z.object({}),
      annotations: { destructiveHint: true, idempotentHint: true },
    },
    () => ({ content: [{ type: "text", text: "forgotten" }] }),
  );
  return made;
}

if (import.meta.main) serveStdio(makeServer);
