/**
 * `baton demo --agent`: three agents over a folder, with tools of MCP servers, a person's approval, one budget, and a worker
 * that is killed in the middle; at the end an account of every call.
 *
 * 1. Nothing below the folder is changed: the one tool that writes reaches the folder of results alone.
 * 2. A worker is killed while one of the agents is at work; what the account says is counted from traces and the ledger.
 * 3. Without a key the turns are the labelled offline model's, and that is said.
 */
import { createRequire } from "node:module";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BatonClient } from "@baton/client";
import type { Question, Task } from "@baton/contracts";
import { connectTo } from "../connection/connection.ts";
import type { Console } from "../console/console.ts";
import { openConsole } from "../console/console.ts";
import { fit, oneLine, wrap } from "../console/text.ts";
import { CommandFailure, exits } from "../failure.ts";
import { callersFolder, callersPath, openProject } from "../local/project.ts";
import type { LocalStack } from "../local/stack.ts";
import { accountLines, type Account, emptyAccount, countEffects, countTrace } from "../progress/account.ts";
import { demoPlan } from "./demo-agents.ts";
import { type DemoOptions, endOf, startDemoStack, workerNames } from "./demo.ts";
import { onInterrupt } from "./interrupt.ts";
import { questionLines } from "./questions.ts";
import { shownPath } from "./run.ts";
import { exitCodeOfTask, explainEnd, resultText } from "./task-outcome.ts";

/** What all three may spend together. */
const budget = { modelCalls: 60, tokens: 2_000_000, usd: 2 };
/** A worker that is killed is known to be dead soon. */
const session = { BATON_BEAT_MS: "1000", BATON_LEASE_MS: "3000" };
/** As long as a hosted model thinks, so that a worker can be killed in the middle of it. */
const latency = process.env["BATON_OFFLINE_LATENCY_MS"] ?? "1500";
const toolsWithinMs = 90_000;

export async function demoAgent(folder: string | undefined, options: DemoOptions): Promise<number> {
  const console = openConsole({ always: true });
  const project = openProject();
  const material = callersFolder(folder ?? options.dir ?? `${project.folder}/docs`, "demo");
  const out = callersPath(options.out ?? "baton-output/agents");
  await mkdir(out, { recursive: true });
  const env = { ...session, BATON_OFFLINE_LATENCY_MS: latency, BATON_MCP_SERVERS: await writeServers(out, material) };
  const stack = await startDemoStack(project, options, console, env);
  using interrupt = onInterrupt();
  try {
    const { client } = connectTo(stack.apiUrl, stack.apiKey);
    await untilTools(client, console);
    const { id } = await client.createTask({
      goal: `Report on the files in ${material}`,
      plan: demoPlan(material, join(out, "report.md")),
      settings: { budget, ...(options.model !== undefined && { model: options.model }) },
    });
    const show = new Show(client, stack, console, options.yes === true);
    const task = await Promise.race([show.follow(id, interrupt.signal), endOf(stack)]);
    explainEnd(task, console);
    if (task.offline) console.data(offlineWords(console));
    for (const line of accountLines([...show.accounts.values()], console.columns - 1)) console.data(line);
    const text = resultText(task.result);
    if (text !== undefined) console.data(`\n${fit(oneLine(text), console.columns - 1)}`);
    console.data(`\n${console.paintData("green", "saved")} ${shownPath(join(out, "report.md"))}`);
    return exitCodeOfTask(task);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.note("Interrupted. The task is kept, and goes on when a stack runs on this data folder again.");
    return exits.interrupted;
  } finally {
    await stack.stop();
  }
}

const offlineWords = (console: Console): string =>
  wrap(
    `${console.paintData("yellow", "[offline model]")} No language model took part: rules list, read, give away, write and quote, and wait ${latency} ms before each turn (BATON_OFFLINE_LATENCY_MS). With ANTHROPIC_API_KEY a language model takes the turns.`,
    console.columns - 1,
  );

/** One server reads the folder, another one writes results; neither reaches anything else. */
async function writeServers(out: string, material: string): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-filesystem/package.json");
  const program = join(manifest, "../dist/index.js");
  const over = (folder: string) => ({ command: process.execPath, args: [program, folder] });
  const file = join(out, "mcp-servers.json");
  await writeFile(file, JSON.stringify({ mcpServers: { folder: over(material), output: over(out) } }, undefined, 2));
  return file;
}

/** Workers say which tools the servers have. */
async function untilTools(client: BatonClient, console: Console): Promise<void> {
  console.progress(console.paint("dim", "waiting for the tools of the MCP servers …"));
  const giveUpAt = performance.now() + toolsWithinMs;
  for (;;) {
    const { tools } = await client.request("listTools", {});
    const names = new Set(tools.map(({ name }) => name));
    if (["folder.list_directory", "output.write_file"].every((name) => names.has(name))) return;
    if (performance.now() > giveUpAt)
      throw new CommandFailure(
        exits.unavailable,
        "The MCP servers' tools did not appear; see the logs of the workers.",
      );
    await delay(200);
  }
}

/** What happens to all tasks of the tree, as it happens. */
class Show {
  readonly accounts = new Map<string, Account>();
  readonly #client: BatonClient;
  readonly #stack: LocalStack;
  readonly #console: Console;
  readonly #yes: boolean;
  readonly #following: Promise<void>[] = [];
  readonly #asked = new Set<string>();
  #killing: Promise<void> | undefined;

  constructor(client: BatonClient, stack: LocalStack, console: Console, yes: boolean) {
    this.#client = client;
    this.#stack = stack;
    this.#console = console;
    this.#yes = yes;
  }

  async follow(rootId: string, signal: AbortSignal): Promise<Task> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    this.#take(rootId, "lead", either);
    const asking = this.#answerQuestions(either);
    try {
      await this.#following[0];
      // Children end before their parent; what is left to read of them comes at once.
      await Promise.race([Promise.all(this.#following), delay(5_000)]);
      return await this.#client.getTask(rootId);
    } finally {
      over.abort();
      await asking;
      await this.#killing;
    }
  }

  #take(taskId: string, agent: string, signal: AbortSignal): void {
    if (this.accounts.has(taskId)) return;
    const account = emptyAccount(agent, taskId);
    this.accounts.set(taskId, account);
    this.#following.push(this.#read(account, signal));
  }

  async #read(account: Account, signal: AbortSignal): Promise<void> {
    const nameOf = workerNames(this.#stack);
    for await (const event of this.#client.follow(account.taskId, { signal })) {
      if (event.event === "end") break;
      if (event.event === "live") continue;
      const { type, data } = event.trace;
      countTrace(account, event.trace);
      if (type === "step-started") this.#say(account, `works on ${nameOf(String(data["worker"]))}`);
      if (type === "tool-called") this.#say(account, `${String(data["tool"])}`);
      if (type === "step-crashed") this.#say(account, "its worker died; another one goes on where it was");
      if (type === "model-call-lost")
        this.#say(account, "the call of the model that was under way is lost, and made again");
      const children = type === "step-asked" ? ((data["children"] ?? []) as readonly ChildOfTrace[]) : [];
      for (const { childTaskId, agent } of children) this.#take(childTaskId, agent, signal);
      if (children.length > 0) this.#say(account, `gives work to ${children.map(({ agent }) => agent).join(", ")}`);
      const readers = children.filter(({ agent }) => agent === "reader");
      if (readers.length > 0) {
        this.#killing ??= this.#killOne(readers, signal).catch((error: unknown) => {
          if (!signal.aborted) this.#console.note(`No worker was killed: ${String(error)}`);
        });
      }
    }
    const effects = [];
    for await (const effect of this.#client.effects(account.taskId)) effects.push(effect);
    countEffects(account, effects);
  }

  /** By what the rows say now: traces come a second late, and what they tell of may be over. */
  async #killOne(readers: readonly ChildOfTrace[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const { childTaskId, agent } of readers) {
        const name = await this.#killWorkerOf(childTaskId, signal);
        if (name === undefined) continue;
        const text = `✗ ${name} was killed, in the middle of ${agent} ${childTaskId.slice(-6)}`;
        this.#console.progress(this.#console.paint("red", fit(text, this.#console.columns - 1)));
        return;
      }
      await delay(100, undefined, { signal }).catch(() => undefined);
    }
  }

  async #killWorkerOf(taskId: string, signal: AbortSignal): Promise<string | undefined> {
    for await (const { state, worker } of this.#client.steps(taskId, {}, signal)) {
      const pid = Number(/\/(\d+)$/.exec(worker ?? "")?.[1]);
      const name = this.#stack.names.get(pid);
      if (state !== "running" || name === undefined) continue;
      process.kill(pid, "SIGKILL");
      return `${name} (pid ${pid})`;
    }
    return undefined;
  }

  async #answerQuestions(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(300, undefined, { signal }).catch(() => undefined);
      for (const taskId of signal.aborted ? [] : this.accounts.keys()) {
        for await (const question of this.#client.questions({ taskId, state: "open" })) {
          if (this.#asked.has(question.id)) continue;
          this.#asked.add(question.id);
          await this.#answer(question, signal);
        }
      }
    }
  }

  /** Without somebody to ask, the demo says yes, and says that it was the demo. */
  async #answer(question: Question, signal: AbortSignal): Promise<void> {
    const console = this.#console;
    console.note(`\n${questionLines(question, console).join("\n")}\n`);
    const isAsked = !this.#yes && process.stdin.isTTY;
    const approved = !isAsked || (await confirmed(signal));
    if (signal.aborted) return;
    if (approved) await this.#client.approveCall(question.id);
    else await this.#client.rejectCall(question.id, "The person at the terminal said no.");
    const by = isAsked ? "you" : "the demo, as nobody is at a terminal or --yes was given";
    console.note(console.paint(approved ? "green" : "yellow", `${approved ? "approved" : "rejected"} by ${by}`));
  }

  #say({ agent, taskId }: Account, text: string): void {
    const name = fit(`${agent} ${taskId.slice(-6)}`, 16, true);
    this.#console.progress(fit(`  ${name} ${oneLine(text)}`, this.#console.columns - 1));
  }
}

interface ChildOfTrace {
  readonly childTaskId: string;
  readonly agent: string;
}

async function confirmed(signal: AbortSignal): Promise<boolean> {
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const said = await lines.question("Let it be called? [Y/n] ", { signal });
    return !/^\s*n/i.test(said);
  } catch {
    return false;
  } finally {
    lines.close();
  }
}
