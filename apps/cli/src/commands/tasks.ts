/** Commands about tasks that exist: status, tail, why, and what people want of them. */
import type { Task } from "@baton/contracts";
import { connect } from "../connection/connection.ts";
import type { Connection } from "../connection/connection.ts";
import type { Console } from "../console/console.ts";
import { openConsole } from "../console/console.ts";
import { fit, oneLine } from "../console/text.ts";
import { exits } from "../failure.ts";
import { followProgress } from "../progress/follow.ts";
import { planLines } from "../progress/plan.ts";
import { timelineLines, timelineRows } from "../progress/timeline.ts";
import { createTracker, planSteps } from "../progress/tracker.ts";
import type { Tracker } from "../progress/tracker.ts";
import { commandsOf } from "./dead-letters.ts";
import { answersTo } from "./questions.ts";
import { checkedId } from "./ids.ts";
import { onInterrupt } from "./interrupt.ts";
import { exitCodeOfTask, explainEnd } from "./task-outcome.ts";

export interface TaskOptions {
  readonly data?: string;
  readonly json?: boolean;
  readonly reason?: string;
}

const listed = 20;

/** One task with its steps, or the newest ones. */
export async function status(id: string | undefined, options: TaskOptions): Promise<number> {
  const { client } = await connect(options.data);
  const console = openConsole();
  if (id === undefined) {
    const { tasks } = await client.request("listTasks", { query: { limit: listed } });
    for (const task of tasks) console.data(options.json === true ? JSON.stringify(task) : taskLine(task, console));
    if (tasks.length === 0 && options.json !== true) console.note("No task yet.");
    return 0;
  }
  const task = await client.getTask(checkedId(id));
  if (options.json === true) {
    console.data(JSON.stringify(task));
    return 0;
  }
  const tracker = createTracker();
  for await (const trace of client.traces(task.id)) tracker.apply(trace);
  printTask(task, tracker, console);
  return 0;
}

function taskLine(task: Task, console: Console): string {
  const goal = fit(oneLine(task.goal), Math.max(10, console.columns - 36 - 10 - 5 - 7));
  return `${task.id}  ${stateText(task, console)}  ${String(task.progress).padStart(3)} %  ${goal}`;
}

function stateText({ state }: Task, console: Console): string {
  const style = state === "completed" ? "green" : state === "failed" || state === "cancelled" ? "red" : "cyan";
  return console.paintData(style, state.padEnd(10));
}

function printTask(task: Task, tracker: Tracker, console: Console): void {
  const columns = console.columns - 1;
  console.data(`${task.id}  ${stateText(task, console).trim()}  ${task.progress} %`);
  console.data(fit(oneLine(task.goal), columns));
  if (task.offline) console.data("[offline model] No language model took part.");
  if (task.lastError !== undefined)
    console.data(fit(`${task.lastError.code}: ${oneLine(task.lastError.message)}`, columns));
  const steps = planSteps(tracker);
  if (steps.length > 0) console.data(["", ...planLines(steps, console, columns)].join("\n"));
  const rows = timelineRows(
    [...tracker.steps.values()].filter(({ parentId }) => parentId === undefined),
    (name) => name,
  );
  if (rows.length > 0) console.data(["", ...timelineLines(rows, columns)].join("\n"));
}

/** The traces so far and as they come, one line each. */
export async function tail(id: string, options: TaskOptions): Promise<number> {
  const { client } = await connect(options.data);
  const console = openConsole();
  const taskId = checkedId(id);
  using interrupt = onInterrupt();
  try {
    await followProgress({
      client,
      taskId,
      console,
      signal: interrupt.signal,
      nameOf: (worker) => worker,
      onTrace: (trace) => {
        const data = JSON.stringify(trace.data);
        const head = `${String(trace.no).padStart(5)}  ${trace.createdAt.slice(11, 23)}  ${trace.type.padEnd(20)}`;
        if (options.json === true) console.data(JSON.stringify(trace));
        else
          console.data(
            process.stdout.isTTY ? fit(`${head}  ${oneLine(data)}`, console.columns - 1) : `${head}  ${data}`,
          );
      },
    });
  } catch (error) {
    if (interrupt.signal.aborted) return exits.interrupted;
    throw error;
  }
  const task = await client.getTask(taskId);
  explainEnd(task, console);
  return exitCodeOfTask(task);
}

/** What a task waits for, since when, and what moves it. */
export async function why(id: string, options: TaskOptions): Promise<number> {
  const { client } = await connect(options.data);
  const console = openConsole();
  const { state, waits } = await client.request("whyTask", { params: { id: checkedId(id) } });
  if (options.json === true) console.data(JSON.stringify({ state, waits }));
  else {
    console.data(`${state}${waits.length === 0 ? ": nothing waits" : ""}`);
    for (const { on, stepId, stepKey, detail, since, movedBy, actions = [], question } of waits) {
      const step = stepKey === undefined ? "" : `${oneLine(stepKey)}: `;
      console.data(`- ${step}${oneLine(detail)}\n  since ${since}; moved by ${oneLine(movedBy)}`);
      if (on === "budget") console.data(`    npm run baton -- budget ${id} --tokens <n>`);
      for (const command of commandsOf(stepId ?? "", actions, "    ")) console.data(command);
      if (question === undefined) continue;
      for (const command of answersTo(question.id, question.kind, "    ")) console.data(command);
    }
  }
  return 0;
}

const intents = {
  cancel: "cancelTask",
  pause: "pauseTask",
  resume: "resumeTask",
  retry: "retryTask",
} as const;
export type IntentName = keyof typeof intents;

export async function intend(intent: IntentName, id: string, options: TaskOptions): Promise<number> {
  const connection: Connection = await connect(options.data);
  const console = openConsole();
  const answer = await connection.client.request(intents[intent], {
    params: { id: checkedId(id) },
    ...(options.reason !== undefined && { body: { reason: options.reason } }),
  });
  if (options.json === true) console.data(JSON.stringify(answer));
  else console.data(`${answer.id}  ${answer.state}${answer.changed ? "" : "  (it already was)"}`);
  return 0;
}
