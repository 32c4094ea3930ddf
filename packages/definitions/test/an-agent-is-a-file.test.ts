import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAgentFolder, parseAgent } from "@baton/definitions";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const file = (front: string, body = "Read what you are given.\n") => `---\n${front}\n---\n${body}`;
const problemOf = (text: string): string => {
  try {
    parseAgent("reader.md", text);
  } catch (error) {
    return (error as Error).message;
  }
  return expect.unreachable("it was accepted");
};

describe("an agent's file", () => {
  it("has its fields above and its instructions below", () => {
    const front = "description: Reads.\nmodel: local/m\ntools:\n  - files.read\nlimits: { turns: 3, usd: 0.5 }";
    expect(parseAgent("reader.md", file(front))).toMatchObject({
      name: "reader",
      description: "Reads.",
      instructions: "Read what you are given.",
      model: { provider: "local", model: "m" },
      tools: ["files.read"],
      limits: { turns: 3, tool_calls: 200, usd: 0.5 },
    });
    expect(parseAgent("reader.md", file("name: other\ndescription: Reads.").replaceAll("\n", "\r\n")).name).toBe(
      "other",
    );
  });

  it.each([
    ["no front matter", "Just text.", "reader.md:1: the file must begin"],
    ["no second line of ---", "---\ndescription: x\nRead.", "reader.md:1: the file must begin"],
    ["YAML that is none", file('description: Reads.\ntools: ["a"'), /^reader\.md:[34]: /],
    ["a key twice", file("description: a\ndescription: b"), "reader.md:3: Map keys must be unique"],
    ["a list", file("- a"), "reader.md:2: between the lines"],
    ["a tag", file("description: !!js/function x"), /^reader\.md:2: Unresolved tag/],
    ["an unknown field", file("description: Reads.\ntool: [a]"), "reader.md:3: tool: there is no such field."],
    [
      "an unknown limit",
      file("description: Reads.\nlimits:\n  turns: 3\n  dollars: 4"),
      "reader.md:5: limits.dollars: there is no such field.",
    ],
    ["a wrong value", file("description: Reads.\nlimits:\n  turns: 0"), /^reader\.md:4: limits\.turns: /],
    ["a wrong element", file('description: Reads.\ntools:\n  - a\n  - ""'), /^reader\.md:5: tools\.1: /],
    ["no description", file("model: local/m"), /^reader\.md:1: description: /],
    ["no instructions", file("description: Reads.", "\n"), "reader.md:4: instructions: an agent needs instructions"],
    [
      "instructions above",
      file("description: Reads.\ninstructions: x"),
      "reader.md:3: instructions: they are what stands below",
    ],
    ["a date for a text", file("description: 2026-01-01\ncapabilities: [2]"), /^reader\.md:3: capabilities\.0: /],
  ])("with %s is refused by file and line", (_what, text, message) => {
    expect(problemOf(text)).toMatch(message);
  });

  it("names all its problems at once", () => {
    const problems = problemOf(file("limits: { turns: 0 }\ntool: x")).split("\n");
    expect(problems.map((problem) => problem.split(":", 2).join(":"))).toEqual([
      "reader.md:1",
      "reader.md:2",
      "reader.md:3",
    ]);
  });

  it("cannot be small and become large", () => {
    const levels = Array.from(
      { length: 12 },
      (_, at) =>
        `  - &a${at} [${Array(9)
          .fill(at === 0 ? "x" : `*a${at - 1}`)
          .join(", ")}]`,
    );
    expect(problemOf(file(`description: Reads.\ntools:\n${levels.join("\n")}`))).toMatch(/^reader\.md:\d+: /);
  });

  it("does not reach a prototype", () => {
    expect(problemOf(file("description: Reads.\n__proto__: { tools: [a] }"))).toMatch(/__proto__/);
    expect(({} as Record<string, unknown>)["tools"]).toBeUndefined();
  });
});

describe("a folder of agents", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "baton-agents-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const write = (name: string, text: string) => writeFile(join(folder, name), text);

  it("finds an agent by its name, and as its file is now", async () => {
    await write("reader.md", file("description: Reads."));
    await write("README.md", "About agents.");
    await write("_draft.md", "nothing");
    const agents = openAgentFolder(folder);
    const first = await agents.find("reader");
    expect(first?.definition.description).toBe("Reads.");
    expect(await agents.find("reader")).toBe(first);
    await write("reader.md", file("description: Reads better."));
    expect((await agents.find("reader"))?.definition.description).toBe("Reads better.");
    expect(await agents.find("writer")).toBeUndefined();
    expect((await agents.list()).problems).toEqual([]);
  });

  it("says what is wrong with a file, and goes on with the others", async () => {
    await write("reader.md", file("description: Reads."));
    await write("broken.md", file("description: 3"));
    await write("twin.md", file("name: reader\ndescription: Reads too."));
    const agents = openAgentFolder(folder);
    const { agents: found, problems } = await agents.list();
    expect(found).toEqual([]);
    expect(problems).toEqual([
      expect.stringMatching(/^broken\.md:2: description: /),
      'twin.md:1: name: reader.md names an agent "reader" too.',
    ]);
    await expect(agents.find("reader")).rejects.toThrow(/twin\.md/);
    await expect(agents.find("broken")).rejects.toThrow(/broken\.md:2/);
  });

  it("of this repository has agents that can be used, and so does the page about them", async () => {
    const root = join(import.meta.dirname, "../../..");
    const { agents, problems } = await openAgentFolder(join(root, "agents")).list();
    expect(problems).toEqual([]);
    expect(agents.map(({ definition }) => definition.name)).toContain("reader");
    const [, example = ""] = /```md\n([\s\S]*?)```/.exec(await readFile(join(root, "docs/agents.md"), "utf8")) ?? [];
    expect(parseAgent("reader.md", example)).toMatchObject({ limits: { turns: 20, usd: 0.5 } });
  });

  it("that is not there is a wrong setting", async () => {
    await expect(openAgentFolder(join(folder, "none")).list()).rejects.toMatchObject({ code: "invalid-configuration" });
  });
});
