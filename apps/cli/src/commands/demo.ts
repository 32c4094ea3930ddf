/**
 * `baton demo`: the main thing, end to end: a goal in words, a plan, parallel steps on worker processes, a report.
 *
 * 1. It brings its own stack on a data folder of its own, and stops it; a stack that runs on --data is used instead.
 * 2. What workers did is read from the traces, never from their memory.
 * 3. Every text that the offline model wrote is labelled so, and its answering time is printed.
 */
import { relative } from "node:path";
import { findStack } from "@baton/embedded";
import type { Task } from "@baton/contracts";
import { connectTo, demoFolder } from "../connection/connection.ts";
import type { Connection } from "../connection/connection.ts";
import type { Console } from "../console/console.ts";
import { openConsole } from "../console/console.ts";
import { bytes, duration, fit, printable, wrap } from "../console/text.ts";
import { CommandFailure, exits } from "../failure.ts";
import { callersFolder, callersPath, openProject } from "../local/project.ts";
import type { Project } from "../local/project.ts";
import { startLocalStack } from "../local/stack.ts";
import type { LocalStack } from "../local/stack.ts";
import { followProgress } from "../progress/follow.ts";
import { planLines } from "../progress/plan.ts";
import { timelineLines, timelineRows } from "../progress/timeline.ts";
import { allAttempts } from "../progress/tracker.ts";
import type { Tracker } from "../progress/tracker.ts";
import { saveArtifacts } from "./artifacts.ts";
import { dataFolder } from "./dev.ts";
import { onInterrupt } from "./interrupt.ts";
import { shownPath } from "./run.ts";
import type { ModelName } from "./run.ts";
import { exitCodeOfTask, explainEnd, resultText } from "./task-outcome.ts";

export interface DemoOptions {
  readonly dir?: string;
  readonly workers: number;
  readonly model?: ModelName;
  readonly data?: string;
  readonly out?: string;
  readonly verbose?: boolean;
  /** Three agents instead of a goal. */
  readonly agent?: boolean;
  /** Of the agents' demo: approves without asking. */
  readonly yes?: boolean;
}

/** What the offline model waits before it answers, unless the settings say otherwise: a hosted one takes longer. */
const offlineLatencyMs = 300;
/** Few, so that a handful of files keeps more than one worker busy. */
const slotsPerWorker = "4";
const shownReportLines = 24;

export async function demo(folder: string | undefined, options: DemoOptions): Promise<number> {
  const startedAt = performance.now();
  const console = openConsole({ always: true });
  const project = openProject();
  const material = materialOf(project, folder ?? options.dir);
  const stack = await startDemoStack(project, options, console);
  using interrupt = onInterrupt();
  try {
    console.progress(console.paint("dim", `up after ${duration(performance.now() - startedAt)} at ${stack.apiUrl}`));
    const connection = connectTo(stack.apiUrl, stack.apiKey);
    const settings = { workspace: material.workspace, ...(options.model !== undefined && { model: options.model }) };
    const { id } = await connection.client.createTask({ goal: material.goal, settings });
    const setting = { console, project, stack, options, signal: interrupt.signal };
    return await Promise.race([perform(connection, id, setting), endOf(stack)]);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.note("Interrupted. The task is kept, and goes on when a stack runs on this data folder again.");
    return exits.interrupted;
  } finally {
    await stack.stop();
  }
}

/** Two demos that start at once take two data folders; with --data the stack that runs there is used. */
export async function startDemoStack(
  project: Project,
  options: DemoOptions,
  console: Console,
  env: Readonly<Record<string, string>> = {},
): Promise<LocalStack> {
  for (;;) {
    const dataDir = await demoData(project, options.data);
    console.progress(
      console.paint("dim", `starting PostgreSQL, the api and ${options.workers} workers below ${dataDir} …`),
    );
    const stack = await startLocalStack({
      project,
      dataDir,
      console,
      workers: options.workers,
      port: 0,
      separateFolders: true,
      env: {
        DISABLE_TASK_WORKER: "0",
        BATON_OFFLINE_LATENCY_MS: String(latencyOf(project)),
        BATON_CONCURRENCY: process.env["BATON_CONCURRENCY"] ?? slotsPerWorker,
        ...env,
      },
      verbose: options.verbose === true,
    });
    if (!stack.attached || options.data !== undefined) return stack;
  }
}

/** Rejects when the stack ends before the task does. */
export async function endOf(stack: LocalStack): Promise<never> {
  const { reason } = await stack.ended;
  throw new CommandFailure(exits.unavailable, `The stack ended: ${reason}. Its logs: ${stack.logFolder}`);
}

interface Material {
  readonly workspace: string;
  readonly goal: string;
}

/** A folder of the project keeps its name in the goal; any other one is the workspace itself. */
function materialOf(project: Project, named: string | undefined): Material {
  const folder = callersFolder(named ?? `${project.folder}/docs`, "demo");
  const inProject = relative(project.folder, folder);
  const isNamed = /^[\w.-]+(\/[\w.-]+)*$/.test(inProject) && !inProject.startsWith("..");
  const where = isNamed ? inProject : "the workspace";
  return {
    workspace: isNamed ? project.folder : folder,
    goal: `Read every Markdown file below ${where}, summarise each one, and write a report that lists the decisions they contain`,
  };
}

/** A folder that no stack owns; the one that is named may be in use, and is attached to then. */
async function demoData(project: Project, option: string | undefined): Promise<string> {
  if (option !== undefined) return dataFolder(project, option);
  const own = demoFolder(dataFolder(project, undefined));
  for (let at = 1; ; at++) {
    const folder = at === 1 ? own : `${own}-${at}`;
    if ((await findStack(folder)) === undefined) return folder;
  }
}

function latencyOf({ config }: Project): number {
  return config.models.offlineLatencyMs === 0 ? offlineLatencyMs : config.models.offlineLatencyMs;
}

interface Setting {
  readonly console: Console;
  readonly project: Project;
  readonly stack: LocalStack;
  readonly options: DemoOptions;
  readonly signal: AbortSignal;
}

async function perform({ client }: Connection, taskId: string, setting: Setting): Promise<number> {
  const { console, stack, options, signal } = setting;
  const nameOf = workerNames(stack);
  console.progress(console.paint("dim", `task ${taskId}`));
  const { tracker } = await followProgress({
    client,
    taskId,
    console,
    signal,
    nameOf,
    onPlan: (steps) => {
      console.data(`\n${console.paintData("bold", `The plan: ${steps.length} steps`)}`);
      for (const text of planLines(steps, console, console.columns - 1)) console.data(text);
      console.data("");
    },
  });
  const task = await client.getTask(taskId);
  const saved = await saveArtifacts(client, taskId, callersPath(options.out ?? `baton-output/${taskId}`));
  explainEnd(task, console);
  printTimeline(tracker, nameOf, console);
  printModel(task, setting);
  printReport(task, console);
  for (const { path, sizeBytes } of saved) {
    console.data(`\n${console.paintData("green", "saved")} ${shownPath(path)} (${bytes(sizeBytes)})`);
  }
  return exitCodeOfTask(task);
}

/** `worker-1` for `host/pid` when the process is one of ours. */
export function workerNames({ names }: LocalStack): (worker: string) => string {
  return (worker) => {
    const pid = /\/(\d+)$/.exec(worker)?.[1];
    return names.get(Number(pid)) ?? worker;
  };
}

function printTimeline(tracker: Tracker, nameOf: (worker: string) => string, console: Console): void {
  const tops = [...tracker.steps.values()].filter(({ parentId }) => parentId === undefined);
  const rows = timelineRows(tops, nameOf);
  console.data(`\n${console.paintData("bold", "What ran where, and when")}`);
  for (const text of timelineLines(rows, console.columns - 1)) console.data(text);
  const byWorker = Map.groupBy(tops.flatMap(allAttempts), ({ worker }) => nameOf(worker));
  const counts = [...byWorker].map(([worker, attempts]) => `${worker} ${attempts.length}`).toSorted();
  console.data(console.paintData("dim", `attempts: ${counts.join(", ")}`));
}

function printModel(task: Task, { console, project, stack }: Setting): void {
  if (!task.offline) return;
  const setting = "BATON_OFFLINE_LATENCY_MS, models.offlineLatencyMs";
  const pause = stack.attached
    ? `What it waits before each answer is a setting of the running stack (${setting}).`
    : `It waits ${latencyOf(project)} ms before each answer (${setting}).`;
  const columns = console.columns - 1;
  console.data(
    `\n${console.paintData("yellow", "[offline model]")} No language model took part: rules plan and quote.`,
  );
  console.data(wrap(pause, columns));
}

function printReport(task: Task, console: Console): void {
  const text = resultText(task.result);
  if (text === undefined) return;
  const lines = printable(text).split("\n");
  console.data(`\n${console.paintData("bold", "The report begins")}`);
  for (const line of lines.slice(0, shownReportLines)) console.data(fit(`  ${line}`, console.columns - 1));
  if (lines.length > shownReportLines)
    console.data(console.paintData("dim", `  … ${lines.length - shownReportLines} more lines`));
}
