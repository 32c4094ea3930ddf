/** `baton run "<goal>"`: from words to a result, followed to the end. */
import { basename, relative } from "node:path";
import type { BatonClient } from "@baton/client";
import type { Task, Trace } from "@baton/contracts";
import { connect } from "../connection/connection.ts";
import type { Console } from "../console/console.ts";
import { openConsole } from "../console/console.ts";
import { bytes, printable } from "../console/text.ts";
import { exits } from "../failure.ts";
import { callersFolder, callersPath } from "../local/project.ts";
import { followProgress } from "../progress/follow.ts";
import { planLines } from "../progress/plan.ts";
import type { TrackedStep } from "../progress/tracker.ts";
import { saveArtifacts } from "./artifacts.ts";
import type { SavedArtifact } from "./artifacts.ts";
import { onInterrupt } from "./interrupt.ts";
import { exitCodeOfTask, explainEnd, resultText } from "./task-outcome.ts";

/** A provider and one of its models. */
export interface ModelName {
  readonly provider: string;
  readonly model: string;
}

export interface RunOptions {
  readonly dir?: string;
  readonly model?: ModelName;
  readonly planOnly?: boolean;
  readonly json?: boolean;
  readonly out?: string;
  readonly data?: string;
}

export async function run(goal: string, options: RunOptions): Promise<number> {
  const workspace = options.dir === undefined ? undefined : callersFolder(options.dir, "--dir");
  const { client } = await connect(options.data);
  const { id } = await client.createTask({
    goal,
    settings: {
      ...(workspace !== undefined && { workspace }),
      ...(options.model !== undefined && { model: options.model }),
      ...(options.planOnly === true && { planOnly: true }),
    },
  });
  const console = openConsole();
  if (options.json === true) console.data(JSON.stringify({ type: "task", id, goal }));
  else console.progress(console.paint("dim", `task ${id}`));
  if (options.planOnly === true) return await showPlan(client, id, options, console);
  return await followToEnd(client, id, options, console);
}

async function followToEnd(client: BatonClient, id: string, options: RunOptions, console: Console): Promise<number> {
  const isJson = options.json === true;
  const line = (fact: unknown) => console.data(JSON.stringify(fact));
  using interrupt = onInterrupt();
  try {
    await followProgress({
      client,
      taskId: id,
      console,
      signal: interrupt.signal,
      nameOf: (worker) => worker,
      ...(isJson && { onTrace: (trace: Trace) => line({ type: "trace", trace }) }),
      onPlan: (steps) => announcePlan(steps, console),
    });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.note(`The task goes on. Follow it: npm run baton -- tail ${id}   Stop it: npm run baton -- cancel ${id}`);
    return exits.interrupted;
  }
  const task = await client.getTask(id);
  const saved = await saveArtifacts(client, id, callersPath(options.out ?? `baton-output/${id}`));
  if (isJson) {
    for (const artifact of saved) line({ type: "artifact", ...artifact });
    line({ type: "result", state: task.state, result: task.result ?? null, error: task.lastError ?? null, task });
  } else printResult(task, saved, console);
  return exitCodeOfTask(task);
}

function announcePlan(steps: readonly TrackedStep[], console: Console): void {
  console.progress(console.paint("bold", `plan of ${steps.length} steps`));
  for (const text of planLines(steps, console, console.columns - 1)) console.progress(text);
}

function printResult(task: Task, saved: readonly SavedArtifact[], console: Console): void {
  explainEnd(task, console);
  for (const { path, sizeBytes } of saved) console.note(`saved ${shownPath(path)} (${bytes(sizeBytes)})`);
  const text = resultText(task.result);
  // Escape sequences of a model's or a file's reach a terminal nowhere, and a pipe as they are.
  if (text !== undefined) console.data(process.stdout.isTTY ? printable(text) : text);
}

/** As the caller would type it. */
export function shownPath(path: string): string {
  const near = relative(callersPath("."), path);
  return near.startsWith("..") ? path : near === "" ? basename(path) : near;
}

interface PlannedStep {
  readonly id: string;
  readonly type: string;
  readonly description?: string;
  readonly depends_on?: readonly string[];
}

async function showPlan(client: BatonClient, id: string, options: RunOptions, console: Console): Promise<number> {
  await followProgress({ client, taskId: id, console, nameOf: (worker) => worker });
  const task = await client.getTask(id);
  for await (const step of client.steps(id, { kind: "plan" })) {
    const plan = (step.output as { plan?: { steps: readonly PlannedStep[] } } | undefined)?.plan;
    if (plan === undefined) continue;
    if (options.json === true) console.data(JSON.stringify({ type: "plan", plan }));
    else for (const text of planLines(plan.steps.map(asTracked), console, console.columns - 1)) console.data(text);
  }
  explainEnd(task, console);
  return exitCodeOfTask(task);
}

function asTracked({ id, type, description, depends_on }: PlannedStep): TrackedStep {
  const drawn = { id, key: id, kind: "user", type, description: description ?? "", dependsOn: depends_on ?? [] };
  return { ...drawn, parentId: undefined, attempts: [], items: [], state: "open" };
}
