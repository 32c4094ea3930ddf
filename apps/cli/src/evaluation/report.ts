/** An evaluation as tables for a terminal. */
import type { EvaluatedDecision } from "@baton/contracts";
import { duration, fit, oneLine, wrap } from "../console/text.ts";
import { type JudgedMessage, scoreDecisions } from "./decisions.ts";
import { type JudgedGoal, scorePlans } from "./plans.ts";

export interface Evaluation {
  readonly model: string;
  readonly offline: boolean;
  readonly languages: { readonly messages: number; readonly goals: number };
  readonly messages: readonly JudgedMessage[];
  readonly goals: readonly JudgedGoal[];
  readonly cost: Cost;
}

export interface Cost {
  readonly medianMs: number;
  readonly calls: number;
  readonly tokens: number;
  readonly estimated: boolean;
  /** Null when a model has no price. */
  readonly usd: number | null;
}

type Answered = Pick<EvaluatedDecision, "calls" | "durationMs">;

export function costOf(answers: readonly Answered[]): Cost {
  const durations = answers.map(({ durationMs }) => durationMs).toSorted((a, b) => a - b);
  const sum = (of: (answer: Answered) => number): number => answers.reduce((total, each) => total + of(each), 0);
  return {
    medianMs: durations[Math.floor((durations.length - 1) / 2)] ?? 0,
    calls: sum(({ calls }) => calls.count),
    tokens: sum(({ calls }) => calls.inputTokens + calls.outputTokens),
    estimated: answers.some(({ calls }) => calls.estimated),
    usd: answers.some(({ calls }) => calls.costUsd === null) ? null : sum(({ calls }) => calls.costUsd ?? 0),
  };
}

/** Of the right answers among all; 1 of none. */
export const shareOf = ({ right, count }: { readonly right: number; readonly count: number }): number =>
  count === 0 ? 1 : right / count;

export const percent = (share: number | null): string => (share === null ? "–" : `${(share * 100).toFixed(1)} %`);
const whole = (value: number): string => value.toLocaleString("en-US");
const plural = (count: number, word: string): string => `${whole(count)} ${word}${count === 1 ? "" : "s"}`;

export function reportLines(evaluation: Evaluation): string[] {
  const { cost, goals, messages, model, offline } = evaluation;
  const label = offline ? " [offline model]: fixed rules, no language model" : "";
  return [
    `${oneLine(model)}${label}`,
    ...(messages.length === 0 ? [] : ["", ...messageLines(evaluation)]),
    ...(goals.length === 0 ? [] : ["", ...goalLines(evaluation)]),
    "",
    `median answer ${duration(cost.medianMs)}, ${plural(cost.calls, "call")}, ${whole(cost.tokens)} tokens${cost.estimated ? " (estimated)" : ""}, ${cost.usd === null ? "no price known" : `$${cost.usd.toFixed(4)}`}`,
  ];
}

function messageLines({ languages, messages }: Evaluation): string[] {
  const score = scoreDecisions(messages);
  const needed = messages.filter(({ expected }) => expected).length;
  return [
    `${plural(score.count, "message")} in ${plural(languages.messages, "language")}, ${needed} of them need a plan`,
    "",
    ...table(messages),
    "",
    `precision ${percent(score.precision)}, recall ${percent(score.recall)} of those that need a plan`,
    `${score.byWording} decided by their wording, without a model`,
  ];
}

function goalLines({ goals, languages }: Evaluation): string[] {
  const score = scorePlans(goals);
  return [
    `${plural(score.count, "goal")} in ${plural(languages.goals, "language")}`,
    "",
    ...table(goals),
    "",
    `${"check".padEnd(width)}  asked  passed`,
    ...score.checks.map(({ asked, check, passed }) => `${check.padEnd(width)}  ${cell(asked, 5)}  ${cell(passed, 6)}`),
    "",
    `${plural(score.rejected, "answer")} refused on the way to a plan`,
  ];
}

interface Judged {
  readonly category: string;
  readonly heldOut: boolean;
  readonly right: boolean;
  readonly error?: string;
}

const width = 18;
const cell = (value: number | string, columns: number): string => String(value).padStart(columns);

function table(judged: readonly Judged[]): string[] {
  const row = (name: string, of: readonly Judged[]): string => {
    const right = of.filter((each) => each.right).length;
    const errors = of.filter(({ error }) => error !== undefined).length;
    const share = percent(shareOf({ right, count: of.length }));
    return `${fit(name, width, true)}  ${cell(of.length, 5)}  ${cell(right, 5)}  ${cell(share, 8)}  ${cell(errors, 6)}`;
  };
  const heldOut = judged.filter((each) => each.heldOut);
  return [
    `${"category".padEnd(width)}  count  right  accuracy  errors`,
    ...[...Map.groupBy(judged, ({ category }) => category)].map(([name, of]) => row(name, of)),
    row("all", judged),
    ...(heldOut.length === 0 ? [] : [row("  held out", heldOut)]),
  ];
}

const whyChars = 240;

export function missLines({ goals, messages }: Pick<Evaluation, "goals" | "messages">, columns: number): string[] {
  const wrongMessages = messages.filter(({ right }) => !right);
  const wrongGoals = goals.filter(({ right }) => !right);
  const misses = [
    ...wrongMessages.map(({ error, expected, id, why }) => {
      const what = error ?? (expected ? "needs a plan and got none" : "needs no plan and got one");
      return { id, what, why };
    }),
    ...wrongGoals.map(({ error, id, verdicts }) => {
      const failed = verdicts.filter(({ passed }) => !passed);
      const what = error ?? failed.map(({ check }) => check).join(", ");
      return { id, what, why: failed.map(({ why }) => why).join("; ") };
    }),
  ];
  if (misses.length === 0) return [];
  return [
    "",
    misses.length === 1 ? "1 miss" : `${whole(misses.length)} misses`,
    ...misses.flatMap(({ id, what, why }) => [
      fit(`  ${id}: ${what}`, columns),
      ...wrap(fit(oneLine(why), whyChars), columns, "    ").split("\n"),
    ]),
  ];
}
