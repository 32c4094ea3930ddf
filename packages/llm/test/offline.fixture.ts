/** Requests to the offline model, and the tools that a worker has by default. */
import type { ModelBrief, ModelPort, ModelReply, ModelRequest, ToolSummary } from "@baton/core/ports";
import { createModels, offlineRef } from "@baton/llm";

export const offline: ModelPort = createModels({
  providers: { offline: { latencyMs: 0 } },
  defaultModel: offlineRef,
  now: () => 0,
});

const names = [
  "files.list",
  "files.read",
  "files.search",
  "artifact.write",
  "http.get",
  "http.request",
  "clock.now",
  "text.search",
];
export const tools: readonly ToolSummary[] = names.map((name) => ({
  name,
  description: name,
  inputSchema: { type: "object" },
  effect: name === "artifact.write" ? "idempotent" : "read",
}));

export function askOffline(brief: ModelBrief, more: Partial<ModelRequest> = {}): Promise<ModelReply> {
  return offline.generate({
    model: offlineRef,
    brief,
    messages: [{ role: "user", content: "as the brief says" }],
    signal: new AbortController().signal,
    ...more,
  });
}

export function plan(goal: string, offered: readonly ToolSummary[] = tools): Promise<ModelReply> {
  return askOffline({ kind: "plan", goal, tools: offered, maxSteps: 50 });
}

/** The answer to an instruction over texts by name. */
export async function reason(
  instruction: string,
  texts: Readonly<Record<string, string>>,
  goal = "a goal",
): Promise<string> {
  const material = Object.entries(texts).map(([name, text]) => ({ name, text }));
  return (await askOffline({ kind: "reason", goal, instruction, material })).text;
}

/** What a labelled answer quotes, without label, source headings and list marks. */
export function quoted(text: string): readonly string[] {
  return text
    .split(/\n\n|\n(?=- )/)
    .filter((part) => part.startsWith("- "))
    .map((part) => part.slice(2).trim());
}
