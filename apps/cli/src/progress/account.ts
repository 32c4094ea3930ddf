/** What agents did, counted from their traces and from the ledger of their calls. */
import type { TaskEffect, Trace } from "@baton/contracts";
import { fit } from "../console/text.ts";

export interface Account {
  readonly agent: string;
  readonly taskId: string;
  /** As `host/pid`: who performed it. */
  readonly workers: Set<string>;
  /** Calls of the model that answered. */
  turns: number;
  toolCalls: number;
  /** Calls of the model that were under way when their worker died. */
  lost: number;
  /**
   * Calls of models and tools above what the ledger has kept: what was kept is never called again. Undefined until the
   * ledger was read.
   */
  repeated: number | undefined;
  tokens: number;
  costUsd: number;
  offline: boolean;
}

export const emptyAccount = (agent: string, taskId: string): Account => ({
  ...{ agent, taskId, workers: new Set(), offline: false },
  ...{ turns: 0, toolCalls: 0, lost: 0, repeated: undefined, tokens: 0, costUsd: 0 },
});

export function countTrace(account: Account, { type, data }: Pick<Trace, "type" | "data">): void {
  switch (type) {
    case "step-started":
      account.workers.add(String(data["worker"]));
      break;
    case "model-called":
      account.turns += 1;
      account.tokens += Number(data["inputTokens"] ?? 0) + Number(data["outputTokens"] ?? 0);
      account.costUsd += Number(data["costUsd"] ?? 0);
      account.offline ||= data["offline"] === true;
      break;
    case "model-call-lost":
      account.lost += 1;
      break;
    case "tool-called":
      if (data["replayed"] !== true) account.toolCalls += 1;
      break;
    default:
  }
}

/** `effects`: all calls of the task, those of the model included, each once. */
export function countEffects(account: Account, effects: readonly Pick<TaskEffect, "state">[]): void {
  const kept = effects.filter(({ state }) => state === "succeeded").length;
  account.repeated = Math.max(0, account.turns + account.toolCalls - kept);
}

export function accountLines(accounts: readonly Account[], columns: number): string[] {
  const row = (cells: readonly (string | number)[]): string => {
    const [agent = "", ...rest] = cells.map(String);
    return fit(`${agent.padEnd(16)}${rest.map((cell) => cell.padStart(9)).join("")}`, columns).trimEnd();
  };
  const figures = ({
    turns,
    toolCalls,
    tokens,
    costUsd,
    lost,
    repeated,
    workers,
  }: Omit<Account, "agent" | "taskId">) => [
    ...[turns, toolCalls, tokens, `$${costUsd.toFixed(4)}`],
    ...[lost, repeated ?? "?", workers.size],
  ];
  const sum = (of: (account: Account) => number): number => accounts.reduce((all, account) => all + of(account), 0);
  const all = {
    ...{ offline: false, workers: new Set(accounts.flatMap(({ workers }) => [...workers])) },
    ...{
      turns: sum(({ turns }) => turns),
      toolCalls: sum(({ toolCalls }) => toolCalls),
      tokens: sum(({ tokens }) => tokens),
    },
    ...{
      costUsd: sum(({ costUsd }) => costUsd),
      lost: sum(({ lost }) => lost),
      repeated: accounts.some(({ repeated }) => repeated === undefined)
        ? undefined
        : sum(({ repeated = 0 }) => repeated),
    },
  };
  return [
    "",
    row(["agent", "turns", "tools", "tokens", "cost", "lost", "repeated", "workers"]),
    ...accounts.map((account) => row([`${account.agent} ${account.taskId.slice(-6)}`, ...figures(account)])),
    row(["together", ...figures(all)]),
  ];
}
