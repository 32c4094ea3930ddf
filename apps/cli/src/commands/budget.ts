/** What a task may spend, what was spent, and by what. */
import type { TaskBudget, Usage } from "@baton/contracts";
import { connect } from "../connection/connection.ts";
import { openConsole } from "../console/console.ts";
import { duration, fit, oneLine } from "../console/text.ts";
import { checkedId } from "./ids.ts";

interface BudgetOptions {
  readonly data?: string;
  readonly json?: boolean;
  readonly reason?: string;
  readonly tokens?: number | null;
  readonly usd?: number | null;
  readonly modelCalls?: number | null;
  readonly toolCalls?: number | null;
  readonly wallMs?: number | null;
}

const capNames = ["tokens", "usd", "modelCalls", "toolCalls", "wallMs"] as const;

/** Shows a task's budget; with caps, changes it first. */
export async function budget(id: string, options: BudgetOptions): Promise<number> {
  const taskId = checkedId(id);
  const { client } = await connect(options.data);
  const console = openConsole();
  const named = capNames.filter((name) => options[name] !== undefined);
  if (named.length > 0) {
    const change = Object.fromEntries(named.map((name) => [name, options[name]]));
    const { changed, state } = await client.changeTaskBudget(taskId, {
      ...change,
      ...(options.reason !== undefined && { reason: options.reason }),
    });
    if (options.json !== true)
      console.note(changed ? `The budget was changed; the task is ${state}.` : "The budget already was like that.");
  }
  const found = await client.getTaskBudget(taskId);
  if (options.json === true) console.data(JSON.stringify(found));
  else for (const line of budgetLines(found, console.columns - 1)) console.data(line);
  return 0;
}

const whole = (value: number): string => value.toLocaleString("en-US");
const dollars = (value: number): string => `$${value.toFixed(4)}`;

export function budgetLines({ caps, elapsedMs, overrun, reserved, settled }: TaskBudget, columns: number): string[] {
  const row = (
    name: string,
    of: (value: number) => string,
    spent: number,
    cap: number | undefined,
    held = 0,
  ): string => {
    const limit = cap === undefined ? "no cap" : of(cap);
    const underWay = held > 0 ? `, ${of(held)} under way` : "";
    return `${name.padEnd(11)}  ${of(spent).padStart(11)} of ${limit}${underWay}`;
  };
  return [
    row("tokens", whole, settled.tokens, caps.tokens, reserved.tokens),
    row("US dollars", dollars, settled.usd, caps.usd, reserved.usd),
    row("model calls", whole, settled.modelCalls, caps.modelCalls, reserved.modelCalls),
    ...(caps.toolCalls === undefined ? [] : [row("tool calls", whole, settled.toolCalls, caps.toolCalls)]),
    ...(caps.wallMs === undefined ? [] : [row("wall clock", duration, elapsedMs, caps.wallMs)]),
    ...(overrun.tokens > 0
      ? [`${"overrun".padEnd(11)}  ${whole(overrun.tokens).padStart(11)} tokens of inputs counted too low`]
      : []),
  ].map((line) => fit(line, columns));
}

interface UsageOptions {
  readonly data?: string;
  readonly json?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly by: "day" | "model" | "task" | "tree";
}

/** What model calls have cost. */
export async function usage({ by, data, from, json, to }: UsageOptions): Promise<number> {
  const { client } = await connect(data);
  const console = openConsole();
  const found = await client.usage({
    group_by: by,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  });
  if (json === true) console.data(JSON.stringify(found));
  else for (const line of usageLines(found, console.columns - 1)) console.data(line);
  return 0;
}

type Figures = Usage["total"];

export function usageLines({ from, to, rows, total }: Usage, columns: number): string[] {
  const name = ({ day, model, taskId }: Usage["rows"][number]): string =>
    day ?? taskId ?? (model === undefined ? "" : oneLine(`${model.provider}/${model.model}`));
  const named = [...rows.map((row) => [name(row), row] as const), ["total", total] as const];
  const width = Math.min(36, Math.max(...named.map(([each]) => each.length)));
  const line = (label: string, { calls, inputTokens, outputTokens, costUsd }: Figures): string =>
    fit(
      `${fit(label, width, true)}  ${whole(calls).padStart(7)} calls  ${whole(inputTokens + outputTokens).padStart(11)} tokens  ${dollars(costUsd ?? 0)}`,
      columns,
    );
  return [`${from} to ${to}`, ...named.map(([label, figures]) => line(label, figures)), ...notes(total, columns)];
}

function notes(figures: Figures, columns: number): string[] {
  const { cachedInputTokens, cacheWriteTokens, estimatedCalls, lostCalls, overrunTokens, unpricedCalls } = figures;
  return [
    ...(cachedInputTokens + cacheWriteTokens > 0
      ? [`${whole(cachedInputTokens)} tokens read from a cache, ${whole(cacheWriteTokens)} written to it`]
      : []),
    ...(estimatedCalls > 0 ? [`${whole(estimatedCalls)} estimated: their provider did not say`] : []),
    ...(lostCalls > 0 ? [`${whole(lostCalls)} lost: counted at their upper bound`] : []),
    ...(unpricedCalls > 0 ? [`${whole(unpricedCalls)} of models without a price: counted as $0`] : []),
    ...(overrunTokens > 0 ? [`${whole(overrunTokens)} tokens above what was reserved for them`] : []),
  ].map((line) => fit(`  ${line}`, columns));
}
