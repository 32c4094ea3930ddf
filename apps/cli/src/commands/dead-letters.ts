/** Steps that are out of attempts: what they died of, and trying them again. */
import type { DeadLetter, DeadLetterDetails, DeadLetterGroup } from "@baton/contracts";
import { connect } from "../connection/connection.ts";
import type { Console } from "../console/console.ts";
import { openConsole } from "../console/console.ts";
import { jsonLines } from "../console/json.ts";
import { fit, oneLine, wrap } from "../console/text.ts";
import { CommandFailure, exits } from "../failure.ts";
import { checkedId } from "./ids.ts";

interface SelectionOptions {
  readonly data?: string;
  readonly json?: boolean;
  readonly code?: string;
  readonly task?: string;
  readonly group?: string;
}

interface ListOptions extends SelectionOptions {
  readonly since?: string;
}

interface RetryOptions extends SelectionOptions {
  readonly reason?: string;
}

const call = (line: string): string => `npm run baton -- ${line}`;

/** Grouped by cause, the newest first. */
export async function listDeadLetters(options: ListOptions): Promise<number> {
  const { code, group, since, task } = options;
  const query = {
    ...(code !== undefined && { code }),
    ...(group !== undefined && { group }),
    ...(since !== undefined && { since }),
    ...(task !== undefined && { taskId: checkedId(task) }),
  };
  const { client } = await connect(options.data);
  const console = openConsole();
  const page = await client.request("listDeadLetters", { query });
  if (options.json === true) {
    for await (const each of client.deadLetters(query)) console.data(JSON.stringify(each));
    return 0;
  }
  if (page.total === 0) console.note("No dead letter: nothing is out of attempts.");
  else console.data(summaryOf(page.total, page.groups, page.nextCursor !== null));
  for (const each of page.groups) console.data(["", ...groupLines(each, console)].join("\n"));
  if (page.nextCursor !== null) console.note(`There are more groups; narrow them with --code, --task or --since.`);
  return 0;
}

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

function summaryOf(total: number, groups: readonly DeadLetterGroup[], isCut: boolean): string {
  return `${plural(total, "dead letter")} of ${isCut ? `more than ${groups.length} causes` : plural(groups.length, "cause")}`;
}

const timeOf = (timestamp: string): string => `${timestamp.slice(0, 10)} ${timestamp.slice(11, 19)}Z`;

export function groupLines(group: DeadLetterGroup, console: Pick<Console, "columns" | "paintData">): string[] {
  const columns = console.columns - 1;
  const { code, count, firstFailedAt, id, lastFailedAt, letters, message, taskCount, tool, type } = group;
  const head = `${String(count).padStart(5)} × ${oneLine(code)}`;
  const where = `${tool === undefined ? type : oneLine(tool)}, ${plural(taskCount, "task")}`;
  const when =
    firstFailedAt === lastFailedAt ? timeOf(lastFailedAt) : `${timeOf(firstFailedAt)} to ${timeOf(lastFailedAt)}`;
  const indent = " ".repeat(8);
  const more = count - letters.length;
  return [
    console.paintData("red", fit(`${head}  ${where}`, columns)),
    wrap(message, columns, indent),
    fit(`${indent}${when}`, columns),
    ...letters.map((letter) => letterLine(letter, columns, indent)),
    ...(more > 0 ? [fit(`${indent}… ${more} more: ${call(`dead-letters --group ${id}`)}`, columns)] : []),
    // Never cut: it is there to be copied.
    `${indent}retry: ${call(`dead-letters retry --group ${id}`)}`,
  ];
}

function letterLine({ id, step, task }: DeadLetter, columns: number, indent: string): string {
  const keyColumns = 20;
  const goalColumns = columns - indent.length - id.length - keyColumns - 4;
  const goal = goalColumns >= 10 ? `  ${fit(oneLine(task.goal), goalColumns)}` : "";
  return `${indent}${id}  ${fit(oneLine(step.key), Math.min(keyColumns, columns - indent.length - id.length - 2), goal !== "")}${goal}`;
}

/** One dead letter with all that is known of it. */
export async function showDeadLetter(id: string, options: SelectionOptions): Promise<number> {
  const stepId = checkedId(id, "step");
  const { client } = await connect(options.data);
  const console = openConsole();
  const letter = await client.getDeadLetter(stepId);
  console.data(options.json === true ? JSON.stringify(letter) : letterLines(letter, console).join("\n"));
  return 0;
}

export function letterLines(letter: DeadLetterDetails, console: Pick<Console, "columns" | "paintData">): string[] {
  const columns = console.columns - 1;
  const { step, task } = letter;
  const title = (text: string) => ["", console.paintData("bold", text)];
  const what = step.tool === undefined ? step.type : `${step.type} ${oneLine(step.tool)}`;
  return [
    `${letter.id}  ${console.paintData("red", "failed")}`,
    fit(`${oneLine(step.key)} (${what}) since ${timeOf(letter.failedAt)}`, columns),
    fit(`task ${task.id}, ${task.state}: ${oneLine(task.goal)}`, columns),
    ...title("Error"),
    ...errorLines(letter.error, columns),
    ...title(
      `Attempts (${plural(letter.failureCount, "failure")} and ${plural(letter.crashCount, "crash").replace(/hs$/, "hes")} counted)`,
    ),
    ...letter.attempts.flatMap((attempt) => attemptLines(attempt, columns)),
    ...title("Inputs"),
    ...jsonLines(letter.config, columns),
    ...letter.unevaluated.map(({ pointer, reason }) => wrap(`${pointer}: ${reason}`, columns, "  ! ")),
    ...(letter.item === undefined ? [] : [`  item ${letter.item.index}:`, ...jsonLines(letter.item.value, columns)]),
    ...(letter.effects.length === 0 ? [] : title("Calls to the outside")),
    ...letter.effects.flatMap(({ arguments: given, attemptNo, effect, idempotencyKey, state, tool }) => [
      fit(`  ${oneLine(tool)} (${effect}), attempt ${attemptNo}: ${state}`, columns),
      fit(`  key ${idempotencyKey}`, columns),
      ...jsonLines(given, columns),
    ]),
    ...title("What moves it"),
    ...commandsOf(letter.id, letter.actions, "  "),
  ];
}

/** The exact commands for what can be done with a dead letter; broken as a shell reads them, to fit a terminal. */
export function commandsOf(id: string, actions: DeadLetter["actions"], indent: string): string[] {
  const commands = {
    "resolve-call": [
      `resolve ${id} \\\n    --happened '<json>' --reason '<why>'`,
      `resolve ${id} \\\n    --did-not-happen --reason '<why>'`,
    ],
    "retry": [`dead-letters retry ${id}`],
    "complete": [`resolve ${id} \\\n    --output '<json>' --reason '<why>'`],
    "skip": [`resolve ${id} \\\n    --skip --reason '<why>'`],
  };
  return actions
    .flatMap((action) => commands[action])
    .map((line) => indent + call(line).replaceAll("\n", `\n${indent}`));
}

function errorLines({ causes, code, message }: DeadLetter["error"], columns: number): string[] {
  // A cause that was only wrapped says the same again.
  const deeper = causes.filter((cause, at) => cause.message !== (at === 0 ? message : causes[at - 1]?.message));
  return [
    wrap(`${code}: ${message}`, columns, "  "),
    ...deeper.map((cause) => wrap(`caused by ${cause.code ?? cause.name}: ${cause.message}`, columns, "    ")),
  ];
}

function attemptLines(attempt: DeadLetterDetails["attempts"][number], columns: number): string[] {
  const { attemptNo, end, error, startedAt, worker } = attempt;
  const at = startedAt === undefined ? "" : `  ${timeOf(startedAt)}`;
  const head = `  ${String(attemptNo).padStart(3)}${at}  ${oneLine(worker ?? "?")}  ${end ?? "not ended"}`;
  return [
    fit(head, columns),
    ...(error === undefined ? [] : [wrap(`${error.code}: ${error.message}`, columns, " ".repeat(7))]),
  ];
}

/** Some by id, or every one that the options name. */
export async function retryDeadLetters(ids: readonly string[], options: RetryOptions): Promise<number> {
  const { code, group, reason, task } = options;
  const body = {
    ...(ids.length > 0 && { ids: ids.map((id) => checkedId(id, "step")) }),
    ...(code !== undefined && { code }),
    ...(group !== undefined && { group }),
    ...(task !== undefined && { taskId: checkedId(task) }),
    ...(reason !== undefined && { reason }),
  };
  if (ids.length === 0 && code === undefined && group === undefined && task === undefined) {
    throw new CommandFailure(exits.usage, "Say which: ids, --code, --group or --task; several narrow each other.");
  }
  const { client } = await connect(options.data);
  const console = openConsole();
  const answer = await client.retryDeadLetters(body);
  if (options.json === true) console.data(JSON.stringify(answer));
  else console.data(`${plural(answer.retriedSteps, "step")} of ${plural(answer.retriedTasks, "task")} retried`);
  if (answer.retriedSteps === 0 && options.json !== true) console.note("No dead letter is like that (any more).");
  return 0;
}
