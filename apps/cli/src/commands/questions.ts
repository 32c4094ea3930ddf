/** What steps ask people: showing it, answering, approving and rejecting. */
import type { Question } from "@baton/contracts";
import { connect } from "../connection/connection.ts";
import { type Console, openConsole } from "../console/console.ts";
import { jsonLines } from "../console/json.ts";
import { fit, oneLine, wrap } from "../console/text.ts";
import { CommandFailure, exits } from "../failure.ts";
import { checkedId } from "./ids.ts";

interface CommonOptions {
  readonly data?: string;
  readonly json?: boolean;
}

interface ListOptions extends CommonOptions {
  readonly task?: string;
  readonly all?: boolean;
}

export async function listQuestions({ all, data, json, task }: ListOptions): Promise<number> {
  const query = {
    ...(all !== true && { state: "open" as const }),
    ...(task !== undefined && { taskId: checkedId(task) }),
  };
  const { client } = await connect(data);
  const console = openConsole();
  let count = 0;
  for await (const question of client.questions(query)) {
    console.data(
      json === true
        ? JSON.stringify(question)
        : [...(count > 0 ? [""] : []), ...questionLines(question, console)].join("\n"),
    );
    count += 1;
  }
  if (count === 0 && json !== true) console.note(all === true ? "Nothing was asked." : "Nothing waits for an answer.");
  return 0;
}

export function questionLines(
  question: Question,
  { columns: all, paintData }: Pick<Console, "columns" | "paintData">,
): string[] {
  const columns = all - 1;
  const { id, kind, state, stepKey, taskId, tool, effect, votes, quorum, expiresAt } = question;
  const isOpen = state === "open";
  const votesLine = quorum > 1 ? [`  ${votes.length} of ${quorum} approvals`] : [];
  const until = expiresAt !== undefined && isOpen ? [`  until ${expiresAt.slice(0, 19).replace("T", " ")}Z`] : [];
  return [
    `${id}  ${paintData(isOpen ? "yellow" : "dim", `${kind}, ${state}`)}`,
    fit(`  step ${oneLine(stepKey)} of task ${taskId}`, columns),
    ...(kind === "question"
      ? [
          wrap(question.text ?? "", columns, "  "),
          ...(question.options ?? []).map((option) => fit(`  - ${oneLine(option)}`, columns)),
        ]
      : [
          fit(`  ${oneLine(tool ?? "")} (${effect ?? ""})`, columns),
          ...jsonLines(question.arguments, columns - 2).map((line) => `  ${line}`),
          ...votesLine,
        ]),
    ...until,
    // Never cut: they are there to be copied.
    ...(isOpen ? answersTo(id, kind, "  ") : closingLines(question, columns)),
  ];
}

/** The exact commands that close a question. */
export function answersTo(id: string, kind: Question["kind"], indent: string): readonly string[] {
  const commands = kind === "question" ? [`answer ${id} "…"`] : [`approve ${id}`, `reject ${id} --reason "…"`];
  return commands.map((command) => `${indent}npm run baton -- ${command}`);
}

function closingLines(
  { kind, answer: said, arguments: asked, closedBy, closedAt, reason }: Question,
  columns: number,
): string[] {
  const by = closedBy === undefined ? "" : ` by ${oneLine(closedBy)}`;
  const isEdited = kind === "approval" && said !== undefined && JSON.stringify(said) !== JSON.stringify(asked);
  return [
    fit(`  closed ${closedAt?.slice(0, 19).replace("T", " ") ?? ""}Z${by}`, columns),
    ...(reason === undefined ? [] : [wrap(reason, columns, "  reason: ")]),
    ...(kind === "question" && said !== undefined ? [wrap(String(said), columns, "  > ")] : []),
    ...(isEdited ? ["  made with:", ...jsonLines(said, columns - 2).map((line) => `  ${line}`)] : []),
  ];
}

export async function answer(id: string, text: string, options: CommonOptions): Promise<number> {
  const questionId = checkedId(id, "question");
  if (text.trim() === "") throw new CommandFailure(exits.usage, "The answer is empty.");
  const { client } = await connect(options.data);
  return told(await client.answerQuestion(questionId, text), options);
}

export async function approve(
  id: string,
  options: CommonOptions & { readonly arguments?: string; readonly reason?: string },
): Promise<number> {
  const questionId = checkedId(id, "question");
  const { arguments: edited, reason } = options;
  const body = {
    ...(edited !== undefined && { arguments: objectOf(edited) }),
    ...(reason !== undefined && { reason }),
  };
  const { client } = await connect(options.data);
  return told(await client.approveCall(questionId, body), options);
}

export async function reject(id: string, options: CommonOptions & { readonly reason: string }): Promise<number> {
  const questionId = checkedId(id, "question");
  const { client } = await connect(options.data);
  return told(await client.rejectCall(questionId, options.reason), options);
}

type Told = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>["client"]["approveCall"]>>;

function told(said: Told, { json }: CommonOptions): number {
  const console = openConsole();
  if (json === true) {
    console.data(JSON.stringify(said));
    return 0;
  }
  const missing = said.state === "open" ? `  (${said.votes} of ${said.quorum} approvals)` : "";
  const already = said.changed ? "" : "  (it already was)";
  console.data(`${said.id}  ${said.state}${missing}${already}\n${said.taskId}  ${said.taskState}  (its task)`);
  return 0;
}

function objectOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CommandFailure(exits.usage, `--arguments is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new CommandFailure(exits.usage, "--arguments is not a JSON object.");
}
