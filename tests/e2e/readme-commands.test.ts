/** What README.md and docs/ say to type is typed here, and answers as they say. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandsOf, curlRequest, differences } from "./documented-commands.ts";
import { writeServers } from "./mcp-servers.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { onEachBackend, type Stack, startStack, until } from "./stack.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join("docs", path)),
];
/** Pages for people who use Baton; what they say to type is performed. */
const manuals = [
  "README.md",
  "docs/cli.md",
  "docs/demo.md",
  "docs/approvals.md",
  "docs/tools-mcp.md",
  "docs/deciding.md",
];
const commands = manuals.flatMap((page) => commandsOf(read(page)));
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
/** For commands of which only the names count. */
const placeholders = { BATON_URL: "", BATON_API_KEY: "", TASK: "" };
const cli = join(root, "apps/cli/src/main.ts");

/** The command line's arguments, when the command is one of `baton`, however it is started. */
function batonArguments(words: readonly string[]): readonly string[] | undefined {
  const end = words.includes("|") ? words.indexOf("|") : words.length;
  const [npm, run, name = "", dashes, ...rest] = words.slice(0, end).filter((word) => word !== "--silent");
  if (npm !== "npm" || run !== "run") return undefined;
  const given = dashes === "--" ? rest : [];
  if (name === "baton") return given;
  return name === "dev" || name === "demo" ? [name, ...given] : undefined;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function baton(given: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const base = { PATH: process.env["PATH"] ?? "", HOME: cwd, INIT_CWD: cwd };
  const child = spawn(process.execPath, [cli, ...given], { cwd, env: { ...base, ...env } });
  const printed = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].on("data", (chunk: Buffer) => {
      printed[stream] += chunk.toString("utf8");
    });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...printed }));
  });
}

describe("what README.md and docs/ name", () => {
  it("every npm script exists", () => {
    for (const page of pages)
      for (const [all, name = ""] of read(page).matchAll(/npm run (?:--silent )?([a-z][a-z:]*)/g))
        expect(Object.keys(scripts), `${all} in ${page}`).toContain(name);
    expect(Object.keys(scripts)).toContain("test");
  });

  it("every relative link leads to a file", () => {
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target = ""]) => relative(root, join(root, dirname(page), target)))
        .filter((target) => !existsSync(join(root, target)))
        .map((target) => `${page} → ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it("every variable is documented in docs/environment.json", () => {
    const { variables, others } = JSON.parse(read("docs/environment.json")) as Record<string, { name: string }[]>;
    const documented = new Set([...(variables ?? []), ...(others ?? [])].map(({ name }) => name));
    for (const page of manuals) {
      const text = read(page);
      const named = new Set(
        [
          ...text.matchAll(/\b(?:(?:BATON|ANTHROPIC)_[A-Z_]+|DATABASE_URL|REDIS_URL|DISABLE_TASK_WORKER|NO_COLOR)\b/g),
        ].map(([name]) => name),
      );
      expect(
        [...named].filter((name) => !documented.has(name)),
        page,
      ).toEqual([]);
    }
    expect(read("README.md")).toContain("BATON_API_KEY");
  });

  it("every command of baton and every option it is given exists", async () => {
    const named = commands.flatMap(({ text, words }) => {
      const given = batonArguments(words(placeholders));
      return given === undefined ? [] : [{ text, given }];
    });
    expect(named.length).toBeGreaterThan(8);
    const helps = new Map<string, Promise<Ended>>();
    const help = (name: string) => {
      helps.set(name, helps.get(name) ?? baton([name, "--help"], root));
      return helps.get(name) as Promise<Ended>;
    };
    const check = async ({ text, given }: (typeof named)[number]) => {
      const { code, stdout } = await help(given[0] ?? "help");
      expect(code, text).toBe(0);
      for (const option of given.filter((word) => word.startsWith("--"))) expect(stdout, text).toContain(option);
    };
    await Promise.all(named.map(check));
    const { stdout } = await baton(["--help"], root);
    for (const [, cell = ""] of read("docs/cli.md").matchAll(/^\| ([^|]+) \|/gm))
      for (const [, name = ""] of cell.matchAll(/`([a-z]+)/g))
        expect(stdout, cell).toMatch(new RegExp(`^  ${name}\\b`, "m"));
  });

  it("every program that is started by path is there", () => {
    const started = commands.map(({ text }) => /^node (\S+)/.exec(text)?.[1]).filter((path) => path !== undefined);
    expect(started).toEqual(["apps/api/src/main.ts", "apps/worker/src/main.ts"]);
    for (const path of started) expect(existsSync(join(root, path)), path).toBe(true);
  });
});

onEachBackend("what README.md and docs/ say to type", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  let folder: string;
  beforeAll(async () => {
    model = await startScriptedModel();
    folder = await mkdtemp(join(tmpdir(), "baton-readme-"));
    await writeFile(join(folder, "note.md"), "We decided to wait.\n");
    const [, cases = ""] = /^```yaml\n([\s\S]*?)^```/m.exec(read("docs/deciding.md")) ?? [];
    await writeFile(join(folder, "cases.yaml"), cases);
    const tools = fileURLToPath(new URL("tools", import.meta.url));
    const servers = await writeServers(join(folder, "mcp.json"), folder);
    stack = await startStack({
      backend,
      workers: 1,
      env: { ...model.env, BATON_WORKSPACES: folder, BATON_TOOLS: tools, BATON_MCP_SERVERS: servers },
    });
  });
  afterAll(async () => {
    await stack?.stop();
    await model?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("every curl line gives the documented answer", async () => {
    model.script({ reply: { text: "Hello to you." } }, "Hello!");
    const plan = {
      object: { steps: [{ id: "read", type: "llm", prompt: "Summarise the text.", description: "Summarise" }] },
    };
    model.script({ plan }, "report of the decisions they contain");
    model.script({ plan, reason: { fault: { kind: "hang" } } }, "We decided to keep every result");
    const lines = commandsOf(read("README.md")).filter(({ text }) => text.startsWith("curl "));
    expect(lines).toHaveLength(6);
    const variables: Record<string, string> = { BATON_URL: stack.url, BATON_API_KEY: stack.key };
    for (const { text, answer, words } of lines) {
      const { url, method, headers, body } = curlRequest(words(variables));
      const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
      const given = await response.text();
      expect(response.ok, `${text}\n${given}`).toBe(true);
      expect(answer, `${text} documents no answer`).not.toBe("");
      if (answer.startsWith("data: ")) {
        const types = [...answer.matchAll(/"type": "([a-z-]+)"/g)].map(([, type]) => type);
        expect(types.length).toBeGreaterThan(1);
        for (const type of types) expect(given).toContain(`"type":"${type}"`);
        const deltas = [...given.matchAll(/"delta":"([^"]*)"/g)].map(([, delta]) => delta);
        expect(deltas.join("")).toBe("Hello to you.");
        expect(given.trimEnd().endsWith("data: [DONE]")).toBe(true);
        continue;
      }
      const value = JSON.parse(given) as { taskId?: string };
      expect(differences(value, JSON.parse(answer)), text).toEqual([]);
      if (value.taskId === undefined || variables["TASK"] === value.taskId) continue;
      variables["TASK"] = value.taskId;
      if (!url.endsWith("/orchestrate")) continue;
      const { taskId } = value;
      await until("its step runs", async () => (await stack.client.getTask(taskId)).runningSteps === 1);
    }
    expect((await stack.client.getTask(variables["TASK"] as string)).state).toBe("cancelled");
  });

  it("every command of baton is performed", async () => {
    const plan = {
      object: {
        steps: [
          { id: "find", type: "tool", tool: "files.list", arguments: '{"pattern": "**/*.md"}', description: "Find" },
        ],
      },
    };
    model.script({ plan: { object: { steps: [{ id: "now", type: "tool", tool: "clock.now" }] } } }, "…");
    model.script({ plan }, "Summarise every Markdown file below docs");
    const env = { BATON_URL: stack.url, BATON_API_KEY: stack.key, DATABASE_URL: stack.database.url };
    const typed = commands
      .map(({ text, words }) => ({ text, given: batonArguments(words(placeholders)) }))
      .filter(({ given }) => given !== undefined && !["dev", "demo"].includes(given[0] ?? ""));
    expect(typed.length).toBeGreaterThan(5);
    const perform = async (text: string, given: readonly string[]) => {
      const { code, stdout, stderr } = await baton(given, folder, env);
      expect(code, `${text}\n${stdout}\n${stderr}\n${stack.logs().slice(-3_000)}`).toBe(0);
      expect(stdout, text).not.toBe("");
    };
    const isPlace = (word: string) => /^<(?:task|id|step|question)>$/.test(word);
    // Each of these commands moves what it names, so each gets one of its own.
    const ownOf = new Map(
      await Promise.all(
        typed
          .filter(({ given }) => given?.includes("<step>") || given?.includes("<question>"))
          .map(async ({ text, given }) => {
            if (given?.includes("<question>"))
              return [text, given[0] === "answer" ? await asked(stack, model) : await waiting(stack)] as const;
            const isInDoubt = /--happened|--did-not-happen/.test(text);
            return [text, isInDoubt ? await inDoubt(stack) : await outOfAttempts(stack)] as const;
          }),
      ),
    );
    const [later, first] = [true, false].map((is) => typed.filter(({ given }) => (given ?? []).some(isPlace) === is));
    await Promise.all((first ?? []).map(({ text, given = [] }) => perform(text, given)));
    const newest = (await stack.client.request("listTasks", { query: { limit: 1 } })).tasks[0]?.id ?? "";
    await Promise.all([
      ...(later ?? []).map(({ text, given = [] }) =>
        perform(
          text,
          given.map((word) =>
            /^<(?:step|question)>$/.test(word) ? (ownOf.get(text) ?? "") : isPlace(word) ? newest : word,
          ),
        ),
      ),
      ...["tail", "why"].map((name) => perform(name, [name, newest])),
      ...["config", "migrate"].map((name) => perform(name, [name])),
    ]);
  });
});

/** The id of a step that is held because nobody knows what its call did. */
async function inDoubt({ client }: Stack): Promise<string> {
  const step = { id: "call", type: "tool" as const, tool: "test.lost_answer", arguments: {} };
  const { id } = await client.createTask({ plan: { steps: [step] } });
  await until("its call is in doubt", async () => (await client.getTask(id)).state === "blocked");
  const { waits } = await client.request("whyTask", { params: { id } });
  return waits[0]?.stepId ?? "";
}

/** The id of a call that waits for approval. */
async function waiting({ client }: Stack): Promise<string> {
  const step = {
    id: "write",
    type: "tool" as const,
    tool: "artifact.write",
    arguments: { name: "a.txt", content: "a" },
  };
  const settings = { approvals: [{ tools: ["artifact.*"] }] };
  return questionOf(client, (await client.createTask({ plan: { steps: [step] }, settings })).id);
}

/** The id of an agent's question. */
async function asked({ client }: Stack, model: ScriptedModel): Promise<string> {
  const call = { name: "ask_user", input: { question: "Which date?" } };
  const prompt = model.script({ reason: [{ toolCalls: [call] }, { text: "On Friday, then." }] });
  const agent = { name: "asker", description: "Asks.", instructions: "You ask.", tools: ["ask_user"] };
  const steps = [{ id: "ask", type: "agent" as const, agent, prompt }];
  return questionOf(client, (await client.createTask({ plan: { steps } })).id);
}

async function questionOf(client: Stack["client"], taskId: string): Promise<string> {
  await until("it waits for a person", async () => (await client.getTask(taskId)).state === "waiting");
  const { waits } = await client.request("whyTask", { params: { id: taskId } });
  return waits[0]?.question?.id ?? "";
}

/** The id of a step that is out of attempts. */
async function outOfAttempts({ client }: Stack): Promise<string> {
  const step = {
    id: "search",
    type: "tool" as const,
    tool: "text.search",
    arguments: { text: "", query: "(", regex: true },
  };
  const { id } = await client.createTask({ plan: { steps: [step] } });
  await until("it is out of attempts", async () => (await client.getTask(id)).state === "failed");
  const { waits } = await client.request("whyTask", { params: { id } });
  return waits[0]?.stepId ?? "";
}

describe("reading a page", () => {
  it("splits words as a shell does, and refuses what it does not understand", () => {
    const page =
      '```sh\n# a note\ncurl -N "$URL/a" -H \'A: $B\' \\\n  -d \'{"a":\n 1}\' # why\n# {"a": "…"}\nls *\n```\n';
    const [curl, ls] = commandsOf(page);
    expect(curl?.words({ URL: "http://x" })).toEqual(["curl", "-N", "http://x/a", "-H", "A: $B", "-d", '{"a":\n 1}']);
    expect(curl?.answer.trim()).toBe('{"a": "…"}');
    expect(() => curl?.words({})).toThrow(/\$URL/);
    expect(() => ls?.words({})).toThrow(/Not understood/);
  });

  it("names how an answer differs from its documentation", () => {
    const documented = { id: "…", status: "queued", steps: [{ no: 1 }] };
    expect(differences({ id: "x", status: "queued", steps: [{ no: 7 }, { no: 8 }] }, documented)).toEqual([]);
    expect(differences({ id: 1, status: "done", steps: [{}], more: 1 }, documented)).toEqual([
      'the answer.id is 1, documented as "…"',
      'the answer.status is "done", documented as "queued"',
      "the answer.steps[0].no is missing",
      "the answer.more is not documented",
    ]);
  });
});
