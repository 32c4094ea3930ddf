/** Every command with its options, as commander knows them. */
import { Command, InvalidArgumentError, Option } from "commander";
import type { Scope } from "@baton/contracts";
import { budget, usage } from "./commands/budget.ts";
import { showConfig } from "./commands/config.ts";
import { listDeadLetters, retryDeadLetters, showDeadLetter } from "./commands/dead-letters.ts";
import { demoAgent } from "./commands/demo-agent.ts";
import { demo, type DemoOptions } from "./commands/demo.ts";
import { dev } from "./commands/dev.ts";
import { evaluate } from "./commands/eval.ts";
import { createKey, listKeys, revokeKey } from "./commands/key.ts";
import { acceptMcp, listMcp } from "./commands/mcp.ts";
import { migrateDatabase } from "./commands/migrate.ts";
import { answer, approve, listQuestions, reject } from "./commands/questions.ts";
import { resolveStep } from "./commands/resolve.ts";
import { run } from "./commands/run.ts";
import type { ModelName } from "./commands/run.ts";
import { intend, status, tail, why } from "./commands/tasks.ts";
import type { IntentName } from "./commands/tasks.ts";

type Ends = <A extends unknown[]>(code: (...args: A) => Promise<number> | number) => (...args: A) => Promise<void>;

/** Resolves to the exit code. Rejects with a CommanderError for a wrong command line, or what the command threw. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command("baton")
    .description("Long AI work, run to the end.")
    .showHelpAfterError('("baton --help" lists commands and options)')
    .configureHelp({ showGlobalOptions: false })
    .exitOverride();
  const ends: Ends =
    (code) =>
    async (...args) => {
      exitCode = await code(...args);
    };
  addStackCommands(program, ends);
  addTaskCommands(program, ends);
  addDeadLetterCommands(program, ends);
  addQuestionCommands(program, ends);
  addInstallationCommands(program, ends);
  await program.parseAsync([...argv], { from: "user" });
  return exitCode;
}

function addStackCommands(program: Command, ends: Ends): void {
  program
    .command("demo")
    .description("read a folder of Markdown files and report the decisions in them, on a stack of its own")
    .argument("[folder]", "the folder to read (default: docs)")
    .option("--dir <folder>", "the same, as an option")
    .option("--workers <n>", "worker processes", count, 2)
    .option("--model <provider/model>", "instead of the configured one", modelName)
    .option("--out <folder>", "where artifacts are saved (default: baton-output/<task id>)")
    .option("--data <folder>", "where data lives; a stack that runs there is used (default: .baton/demo)")
    .option("--verbose", "show every log line")
    .option("--agent", "three agents, tools of MCP servers, an approval, a budget, and a worker that is killed")
    .option("--yes", "with --agent: approve without asking")
    .action(
      ends((folder: string | undefined, options: DemoOptions) =>
        (options.agent === true ? demoAgent : demo)(folder, options),
      ),
    );
  program
    .command("dev")
    .description("start PostgreSQL, the api and workers here, and keep them up")
    .option("--data <folder>", "where data lives (default: .baton)")
    .option("--workers <n>", "worker processes", count, 1)
    .option("--port <port>", "of the api; 0 takes a free one", portNumber)
    .option("--tools <folder>", "your own tools (default: tools/ when it exists)")
    .option("--verbose", "show every log line")
    .action(ends(dev));
}

const dataOption = ["--data <folder>", "the data folder of the stack to speak to"] as const;
const jsonOption = ["--json", "one JSON object per line"] as const;

function addTaskCommands(program: Command, ends: Ends): void {
  program
    .command("run")
    .description("run a goal to its end: show the plan, follow it, print the result, save the artifacts")
    .argument("<goal>", "what is to be reached, in words")
    .option("--dir <folder>", "the folder that the task may read")
    .option("--model <provider/model>", "instead of the configured one", modelName)
    .option("--plan-only", "show the plan and perform nothing of it")
    .option("--out <folder>", "where artifacts are saved (default: baton-output/<task id>)")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(run));
  const about = (name: string, description: string, argument = "<id>") =>
    program
      .command(name)
      .description(description)
      .argument(argument, "the task's id")
      .option(...jsonOption)
      .option(...dataOption);
  about("status", "how far a task is; without an id, the newest tasks", "[id]").action(ends(status));
  about("tail", "what happened to a task, and what happens").action(ends(tail));
  about("why", "what a task waits for, and what would move it").action(ends(why));
  about("budget", "what a task may spend and has spent; with caps, changes them")
    .option("--tokens <n>", "input and output tokens; none = no cap", wholeCap)
    .option("--usd <n>", "US dollars; none = no cap", dollarCap)
    .option("--model-calls <n>", "calls of models; none = no cap", wholeCap)
    .option("--tool-calls <n>", "calls of tools; none = no cap", wholeCap)
    .option("--wall-ms <n>", "milliseconds since its creation; none = no cap", wholeCap)
    .option("--reason <text>", "kept in the task's traces")
    .action(ends(budget));
  program
    .command("usage")
    .description("what model calls have cost: by day, by model or by task")
    .addOption(new Option("--by <group>", "how to add up").choices(["day", "model", "task", "tree"]).default("day"))
    .option("--from <day>", "the first day, like 2026-11-01 (default: 30 days ago)")
    .option("--to <day>", "the last day (default: today, UTC)")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(usage));
  const intents: Readonly<Record<IntentName, string>> = {
    cancel: "end a task; running steps are told to stop",
    pause: "let nothing of a task start until it is resumed",
    resume: "go on with a paused task",
    retry: "go on with a failed task where it stopped",
  };
  for (const [name, description] of Object.entries(intents)) {
    about(name, description)
      .option("--reason <text>", "kept in the task's traces")
      .action(ends((id: string, options: object) => intend(name as IntentName, id, options)));
  }
}

function addQuestionCommands(program: Command, ends: Ends): void {
  program
    .command("questions")
    .description("what steps ask people: questions of agents, and calls that wait for an approval")
    .option("--task <id>", "only of this task")
    .option("--all", "those that are closed, too")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(listQuestions));
  const about = (name: string, description: string) =>
    program.command(name).description(description).argument("<id>", "the question's id");
  about("answer", "answer a question")
    .argument("<text>", "the answer")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(answer));
  about("approve", "let a call be made")
    .option("--arguments <json>", "with other arguments than were asked for")
    .option("--reason <text>", "kept in the traces")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(approve));
  about("reject", "keep a call from being made")
    .requiredOption("--reason <text>", "told to the agent, and kept in the traces")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(reject));
}

function addDeadLetterCommands(program: Command, ends: Ends): void {
  const letters = program.command("dead-letters").description("steps that are out of attempts: list, show, retry");
  letters
    .command("list", { isDefault: true })
    .description("list them, grouped by cause (also without the word list)")
    .option("--code <code>", "only of this error code")
    .option("--task <id>", "only of this task")
    .option("--since <time>", "only what failed then or later, like 2026-11-20T12:00:00Z")
    .option("--group <id>", "one group with more of its letters")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(listDeadLetters));
  letters
    .command("show")
    .description("one with its attempts, inputs and calls to the outside")
    .argument("<id>", "the step's id")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(showDeadLetter));
  letters
    .command("retry")
    .description("try them again: some by id, or every one of a cause or a task")
    .argument("[ids...]", "the steps' ids")
    .option("--code <code>", "every one of this error code")
    .option("--task <id>", "every one of this task")
    .option("--group <id>", "every one of this group")
    .option("--reason <text>", "kept in the traces")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(retryDeadLetters));
  program
    .command("resolve")
    .description("settle a step by hand that is out of attempts")
    .argument("<id>", "the step's id")
    .option("--output <json>", "complete it with this output")
    .option("--output-file <file>", "complete it with the JSON in this file")
    .option("--skip", "go on without it, and without what cannot run then")
    .option("--happened <json>", "its call in doubt took place, with this result")
    .option("--did-not-happen", "its call in doubt did not take place: make it again")
    .option("--call <n>", "which call, when several are in doubt", count)
    .requiredOption("--reason <text>", "kept in the traces")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(resolveStep));
}

function addInstallationCommands(program: Command, ends: Ends): void {
  const mcp = program.command("mcp").description("tools of MCP servers: what workers found, and what is accepted");
  mcp
    .command("list", { isDefault: true })
    .description("list the servers and their tools; of what may not be called, why (also without the word list)")
    .option("--all", "what every tool says of itself")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(listMcp));
  mcp
    .command("accept")
    .description("let a changed tool be called again, as it is now")
    .argument("<name>", "the tool's name, as <server>.<tool>")
    .option("--hash <hash>", "only if it is still what was looked at")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(acceptMcp));
  const key = program.command("key").description("make, list and revoke API keys");
  key
    .command("create")
    .description("make a key; it is printed this once")
    .argument("<name>", "what it is for")
    .option("--scopes <list>", "read, write, admin, separated by commas", scopes, ["read", "write"])
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(createKey));
  key
    .command("list")
    .description("list the keys that work")
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(listKeys));
  key
    .command("revoke")
    .description("make a key stop working")
    .argument("<id>", "the key's id")
    .option(...dataOption)
    .action(ends(revokeKey));
  program
    .command("eval")
    .description("how well a model decides: which messages need a plan, and which plans goals get")
    .option("--file <file>", "labelled messages and goals in YAML, also several times (default: Baton's own)", more)
    .option("--model <provider/model>", "instead of the configured one", modelName)
    .option("--misses", "list what was wrong, and why")
    .option("--at-least <share>", "end with 1 when a smaller share is right, like 0.9", share)
    .option(...jsonOption)
    .option(...dataOption)
    .action(ends(evaluate));
  program
    .command("config")
    .description("print the settings in force; secrets are masked")
    .option(...jsonOption)
    .action(ends(showConfig));
  program.command("migrate").description("bring DATABASE_URL to this version").action(ends(migrateDatabase));
}

function scopes(text: string): Scope[] {
  const named = text.split(",").map((word) => word.trim());
  const known = ["read", "write", "admin"];
  if (named.every((word) => known.includes(word))) return named as Scope[];
  throw new InvalidArgumentError(`Name some of ${known.join(", ")}, separated by commas.`);
}

function count(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Name a whole number from 1 to 999.");
}

const more = (file: string, before: readonly string[] = []): readonly string[] => [...before, file];

function share(text: string): number {
  if (/^(?:0(?:\.\d{1,6})?|1(?:\.0{1,6})?)$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Name a share from 0 to 1, like 0.9.");
}

function wholeCap(text: string): number | null {
  if (text === "none") return null;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Name a whole number, or none.");
}

function dollarCap(text: string): number | null {
  if (text === "none") return null;
  if (/^\d{1,6}(\.\d{1,9})?$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError("Name an amount like 2.50, or none.");
}

function modelName(text: string): ModelName {
  const [, provider, model] = /^([^/\s]+)\/(\S+)$/.exec(text) ?? [];
  if (provider !== undefined && model !== undefined) return { provider, model };
  throw new InvalidArgumentError("Name a provider and a model, like anthropic/claude-sonnet-4-5.");
}

function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("Name a port from 0 to 65535.");
}
