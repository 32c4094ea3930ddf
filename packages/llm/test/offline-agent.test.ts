import type { ModelMessage, ModelTool } from "@baton/core/ports";
import { describe, expect, it } from "vitest";
import { agentTurn } from "../src/offline/agent.ts";

const tool = (name: string, ...required: string[]): ModelTool => ({
  name,
  description: name,
  inputSchema: { type: "object", required, properties: Object.fromEntries(required.map((field) => [field, {}])) },
});
const list = tool("disk.list_directory", "path");
const read = tool("disk.read_text_file", "path");
const write = tool("disk.write_file", "path", "content");
const agent = (name: string) => tool(`agent.${name}`, "prompt");

const files: Readonly<Record<string, string>> = {
  "/f/a.md": "# A\n\nThe harbour was closed in March. The cranes were painted red.",
  "/f/b.md": "# B\n\nShips wait outside the harbour. Nobody knows for how long.",
};

/** Lets the agent work until it answers. */
function work(instruction: string, tools: readonly ModelTool[], perform: (name: string, input: never) => string) {
  const messages: ModelMessage[] = [{ role: "user", content: instruction }];
  const turns: string[][] = [];
  for (let turn = 0; turn < 20; turn++) {
    const { text, toolCalls } = agentTurn({ brief: { kind: "agent", goal: "g", instruction }, messages, tools });
    if (toolCalls === undefined) return { text, turns };
    turns.push(toolCalls.map(({ tool: name }) => name));
    messages.push({ role: "assistant", content: text, toolCalls });
    for (const { id, tool: name, input } of toolCalls)
      messages.push({ role: "tool", callId: id, tool: name, content: perform(name, input as never), isError: false });
  }
  throw new Error("It does not end.");
}

const disk = (name: string, input: { readonly path: string }): string =>
  name.endsWith("list_directory") ? "[FILE] a.md\n[DIR] c\n[FILE] b.md\n[FILE] d.png" : (files[input.path] ?? "?");

describe("the offline model as an agent", () => {
  it("lists, reads at once, and quotes what it has read, labelled", () => {
    const { text, turns } = work("Summarise.\nFolder: /f", [list, read], disk);
    expect(turns).toEqual([["disk.list_directory"], ["disk.read_text_file", "disk.read_text_file"]]);
    expect(text).toMatch(/^\[offline model\]/);
    expect(text).toContain("### /f/a.md");
    for (const [, quoted = ""] of text.matchAll(/^- (.+)$/gm))
      expect(Object.values(files).some((source) => source.includes(quoted))).toBe(true);
  });

  it("gives files away to one agent, in pieces, and what came of it to another, which writes it", () => {
    const prompts: Record<string, string[]> = {};
    const lead = work("Report.\nFolder: /f", [list, agent("reader"), agent("writer")], (name, input) => {
      if (name === list.name) return disk(name, input);
      const { prompt } = input as { prompt: string };
      prompts[name] = [...(prompts[name] ?? []), prompt];
      return name === "agent.reader" ? work(prompt, [read], disk).text : "written";
    });
    expect(lead.turns).toEqual([["disk.list_directory"], ["agent.reader", "agent.reader"], ["agent.writer"]]);
    expect(prompts["agent.reader"]).toEqual([
      "Folder: /f\nRead and summarise: a.md",
      "Folder: /f\nRead and summarise: b.md",
    ]);
    let written = { path: "", content: "" };
    work(prompts["agent.writer"]?.[0] ?? "", [write], (_name, input) => {
      written = input;
      return "ok";
    });
    expect(written.path).toBe("/f/report.md");
    expect(written.content).toMatch(/^\[offline model\]/);
    expect(written.content).toContain("harbour");
    expect(lead.text).toMatch(/^\[offline model\]/);
  });

  it("is refused where it has no tool that it knows, or none whose arguments it can fill", () => {
    const odd = tool("read", "path", "password");
    for (const tools of [[], [tool("shop.buy", "item")], [odd]])
      expect(() => work("Buy it.", tools, () => "")).toThrow(/offline model is no language model/);
  });

  it("says the same to the same", () => {
    const once = () => work("Summarise.\nFolder: /f", [list, read], disk).text;
    expect(once()).toBe(once());
  });
});
