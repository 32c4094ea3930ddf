/** Models over the wire to a scripted server, the offline model, and the tools that every worker has. */
import type { ModelRef } from "@baton/core/plan";
import type { ModelPort, ToolSummary } from "@baton/core/ports";
import { createModels, offlineRef } from "@baton/llm";
import { type ModelServer, type ModelServerScript, startModelServer } from "@baton/testing/model-server";
import { createBuiltinTools, createToolRegistry } from "@baton/tools";
import { afterEach } from "vitest";

export const sonnet: ModelRef = { provider: "anthropic", model: "claude-sonnet-5-5" };

let server: ModelServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** A port whose default model is answered by the script. */
export async function scripted(script: ModelServerScript): Promise<{ models: ModelPort; server: ModelServer }> {
  server = await startModelServer(script);
  const models = createModels({
    providers: { anthropic: { apiKey: "sk-test", baseUrl: server.url }, offline: { latencyMs: 0 } },
    defaultModel: sonnet,
    now: Date.now,
  });
  return { models, server };
}

export const offline: ModelPort = createModels({
  providers: { offline: { latencyMs: 0 } },
  defaultModel: offlineRef,
  now: Date.now,
});

export const builtinTools: readonly ToolSummary[] = createToolRegistry({ tools: createBuiltinTools() }).list();

/** The texts of a request's prompt, as the server saw them. */
export function promptOf(request: ModelServer["requests"][number] | undefined): string {
  const textsOf = (value: unknown): string[] => {
    if (typeof value === "string") return [value];
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, child]) => (key === "role" || key === "type" ? [] : textsOf(child)));
  };
  return textsOf([request?.body["system"], request?.body["messages"]]).join("\n");
}

export const goodPlan = {
  steps: [
    { id: "find", type: "tool", tool: "files.list", arguments: { pattern: "docs/**/*.md" }, description: "Find" },
    {
      id: "report",
      type: "llm",
      prompt: "Write a report.",
      description: "Report",
      depends_on: ["find"],
    },
  ],
  result: { $cel: "steps.report.output" },
};
