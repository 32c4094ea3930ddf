import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ModelServer, startModelServer } from "@baton/testing/model-server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { baton, finished, temporaryFolder } from "./program.ts";

const page = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const offline = ["--model", "offline/offline-rules"];
const scripted = ["--model", "anthropic/claude-sonnet-5-5"];

const tool = (id: string, name: string, args: object, dependsOn: readonly string[] = []) => ({
  id,
  type: "tool",
  tool: name,
  arguments: JSON.stringify(args),
  description: id,
  depends_on: dependsOn,
});
const llm = (id: string, prompt: string, dependsOn: readonly string[] = []) => ({
  id,
  type: "llm",
  prompt,
  description: id,
  depends_on: dependsOn,
});
const [readA, readB] = ["a", "b"].map((name) => tool(name, "files.read", { path: `docs/${name}.md` }));
const yes = { object: { orchestrate: true, confidence: 0.9, reasons: ["It takes several files."] } };
const no = { object: { orchestrate: false, confidence: 0.9, reasons: ["One answer is enough."] } };

/** What the scripted model answers to a prompt that contains the word. */
const script: Readonly<Record<string, object>> = {
  alpha: yes,
  beta: no,
  gamma: { text: "YES, orchestrate it." },
  "in parallel": { object: { steps: [readA, readB, llm("say", "Compare both", ["a", "b"])] } },
  "in a row": {
    object: { steps: [readA, { ...readB, depends_on: ["a"] }, llm("say", "Compare both", ["a", "b"])] },
  },
  "in one text": { object: { steps: [readA, llm("say", "Write the glossary and the tasks", ["a"])] } },
  "by a shell": { object: { steps: [tool("x", "shell.exec", { command: "ls" })] } },
};
const words = (prompt: string): string => Object.keys(script).find((word) => prompt.includes(`case ${word}`)) ?? "beta";

let cwd: string;
let server: ModelServer;
const afterFile: (() => Promise<void>)[] = [];
beforeAll(async () => {
  const afterwards = (work: () => Promise<void>) => void afterFile.push(work);
  server = await startModelServer({
    handler: ({ body }) => script[words(JSON.stringify(body["messages"]))] ?? no,
  });
  afterwards(() => server.close());
  cwd = await temporaryFolder(afterwards);
  const env = { ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: server.url };
  await baton(["dev", "--port", "0"], { cwd, env, afterwards }).says(/baton dev up/);
});
afterAll(async () => {
  for (const work of afterFile.toReversed()) await work();
});

const call = (...args: string[]) => finished(baton(args, { cwd }));
async function written(name: string, text: string): Promise<string> {
  await writeFile(join(cwd, name), text);
  return name;
}
type Fact = Readonly<Record<string, unknown>> & { readonly type: string; readonly id?: string };
async function facts(...args: string[]): Promise<readonly Fact[]> {
  const { exit, stderr, stdout } = await call("eval", "--json", ...args);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Fact);
}

describe("the offline model's figures", () => {
  it("are those that docs/deciding.md and README.md state", async () => {
    const { exit, stdout } = await call("eval", ...offline);
    expect(exit).toBe(0);
    const [, documented = ""] = /^```text\n([\s\S]*?)^```/m.exec(page("docs/deciding.md")) ?? [];
    const [figures = ""] = stdout.split("\nmedian answer");
    expect(figures).toBe(documented);
    const all = /^all +(\d+) +(\d+) +([\d.]+ %)/gm;
    const [messages, goals] = [...figures.matchAll(all)];
    const [, , , fresh = ""] = /^fresh +(\d+) +(\d+) +([\d.]+ %)/m.exec(figures) ?? [];
    expect(page("README.md").replaceAll(/\s+/g, " ")).toContain(
      `The offline model decides ${messages?.[3]} of ${messages?.[1]} messages as labelled (${fresh} of those written after its rules) and plans ${goals?.[2]} of ${goals?.[1]} goals as expected`,
    );
  });

  it("are reached by no plan with an unknown tool, and are labelled offline", async () => {
    const told = await facts(...offline);
    const {
      messages,
      offline: isOffline,
      goals,
    } = told.at(-1) as Fact & {
      messages: { count: number; errors: number };
      goals: { checks: { check: string; asked: number; passed: number }[] };
    };
    expect(isOffline).toBe(true);
    expect(messages.errors).toBe(0);
    const known = goals.checks.find(({ check }) => check === "known-tools");
    expect(known?.passed).toBe(known?.asked);
    expect(told.filter(({ type }) => type === "message")).toHaveLength(messages.count);
  });

  it("are held against --at-least", async () => {
    expect(await call("eval", ...offline, "--at-least", "0.1")).toMatchObject({ exit: 0, stderr: "" });
    const { exit, stderr } = await call("eval", ...offline, "--at-least", "0.99");
    expect(stderr).toMatch(/Of the messages, [\d.]+ % are right; --at-least asks for 99\.0 %\.\nOf the goals,/);
    expect(exit).toBe(1);
  });
});

const messages = `messages:
  - {id: yes, category: one, message: "Have you got case alpha, and why it is so", orchestrate: true}
  - {id: wrong, category: one, message: "Have you got case beta, and why it is so", orchestrate: true}
  - {id: unusable, category: two, message: "Have you got case gamma, and why it is so", orchestrate: false}
  - {id: wording, category: two, held_out: true, message: "Hello!", orchestrate: false}
`;
const expectations = "parallel: [[[docs/a.md], [docs/b.md]]], steps: [2, 3], uses: [files.read], avoids: [http.get]";
const goals = `goals:
  - {id: good, category: plans, goal: "Compare docs/a.md with docs/b.md, case in parallel", expect: {${expectations}}}
  - {id: slow, category: plans, goal: "Compare docs/a.md with docs/b.md, case in a row", expect: {${expectations}}}
  - id: merged
    category: plans
    goal: "Make a glossary and a list of tasks from docs/a.md, case in one text"
    expect: {deliverables: [[glossary], [tasks]]}
  - {id: shell, category: plans, goal: "List docs, case by a shell", expect: {steps: [1, 2]}}
  - {id: foreign, category: plans, goal: "g", tools: [mail.send], expect: {}}
`;

describe("a model behind the api", () => {
  it("is scored on a file of the caller's, each miss with its reason", async () => {
    await mkdir(join(cwd, "cases"), { recursive: true });
    const files = ["--file", await written("cases/m.yaml", messages), "--file", await written("g.yaml", goals)];
    const { exit, stdout } = await call("eval", ...scripted, ...files, "--misses");
    expect(exit).toBe(0);
    const [first] = stdout.split("\n");
    expect(first).toBe("anthropic/claude-sonnet-5-5");
    expect(stdout).toMatch(/^one +2 +1 +50\.0 % +0$/m);
    expect(stdout).toMatch(/^two +2 +1 +50\.0 % +1$/m);
    expect(stdout).toMatch(/^ {2}held out +1 +1 +100\.0 % +0$/m);
    expect(stdout).toMatch(/precision 100\.0 %, recall 50\.0 %/);
    expect(stdout).toMatch(/^1 decided by their wording/m);
    expect(stdout).toMatch(/^plans +5 +1 +20\.0 % +2$/m);
    expect(stdout).toMatch(/^accepted +5 +3$/m);
    expect(stdout).toMatch(/^known-tools +3 +3$/m);
    expect(stdout).toMatch(/^deliverables +1 +0$/m);
    expect(stdout).toMatch(/^parallel +2 +1$/m);
    expect(stdout).toMatch(/^3 answers refused on the way to a plan$/m);
    expect(stdout).toMatch(/median answer \d.*, \d+ calls, [\d,]+ tokens, \$\d\.\d{4}$/m);
    const [, misses = ""] = stdout.split("6 misses");
    expect(misses).toMatch(/ wrong: needs a plan and got none\n {4}One answer is enough\./);
    expect(misses).toMatch(/ unusable: output-invalid\n {4}The model gave no usable decision/);
    expect(misses).toMatch(/ slow: parallel\n {4}b waits for a/);
    expect(misses).toMatch(/ merged: deliverables\n {4}no step of its own makes /);
    expect(misses).toMatch(/ shell: planning-failed\n {4}The model gave no valid plan/);
    expect(misses).toMatch(/ foreign: unknown-tool\n {4}This installation has no mail\.send/);
  });

  it("that does not exist is refused before anything is counted", async () => {
    const { exit, stderr, stdout } = await call("eval", "--model", "anthropic/claude-nine");
    expect(stderr).toContain("claude-nine");
    expect({ exit, stdout }).toEqual({ exit: 65, stdout: "" });
  });
});

describe("a file that cannot be used", () => {
  it.each([
    ["does not exist", "nowhere.yaml", undefined, 66, /nowhere\.yaml is not a file/],
    ["is empty", "empty.yaml", "", 65, /empty\.yaml:1: the file holds `messages`, `goals` or both/],
    ["is no YAML", "broken.yaml", "messages: [", 65, /broken\.yaml:1: /],
    [
      "has an unknown field",
      "field.yaml",
      `${messages}questions: []\n`,
      65,
      /field\.yaml:6: questions: there is no such/,
    ],
    ["is larger than people write", "large.yaml", "#".repeat(10_000_000), 65, /large\.yaml:1: .* the limit is 4000000/],
  ])("because it %s is named with its problem", async (_why, name, text, exit, problem) => {
    if (text !== undefined) await written(name, text);
    const ended = await call("eval", "--file", name);
    expect(ended.stderr).toMatch(problem);
    expect(ended).toMatchObject({ exit, stdout: "" });
  });

  it("because it has the id of another one is named with both", async () => {
    const files = ["--file", await written("one.yaml", messages), "--file", await written("two.yaml", messages)];
    const { exit, stderr } = await call("eval", ...files);
    expect(stderr).toContain('two.yaml:2: messages.0.id: "yes" stands at one.yaml:2 already.');
    expect(exit).toBe(65);
  });
});
