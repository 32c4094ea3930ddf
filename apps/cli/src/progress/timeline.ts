/**
 * Which worker ran what, and when, as a chart of text.
 *
 * 1. One row per step and worker, however many items a map had; as wide as the terminal.
 * 2. A column is marked when an attempt ran in any part of it, so what is short is still seen.
 */
import { columnsOf, duration, fit, oneLine } from "../console/text.ts";
import { allAttempts } from "./tracker.ts";
import type { TrackedAttempt, TrackedStep } from "./tracker.ts";

export interface TimelineRow {
  readonly step: string;
  readonly worker: string;
  readonly attempts: readonly TrackedAttempt[];
}

/** In the order of their first start. */
export function timelineRows(steps: readonly TrackedStep[], nameOf: (worker: string) => string): TimelineRow[] {
  const rows: TimelineRow[] = [];
  for (const step of steps) {
    const byWorker = Map.groupBy(shownAttempts(step), ({ worker }) => worker);
    const workers = [...byWorker].toSorted(([one], [other]) =>
      nameOf(one).localeCompare(nameOf(other), "en", { numeric: true }),
    );
    for (const [worker, attempts] of workers) rows.push({ step: step.key, worker: nameOf(worker), attempts });
  }
  const firstOf = new Map<string, number>();
  for (const { step, attempts } of rows) {
    firstOf.set(step, Math.min(firstOf.get(step) ?? Infinity, ...attempts.map(({ startedAt }) => startedAt)));
  }
  return rows.toSorted((one, other) => (firstOf.get(one.step) ?? 0) - (firstOf.get(other.step) ?? 0));
}

/** Of a map the attempts of its items: its own two only list and join them. */
function shownAttempts(step: TrackedStep): readonly TrackedAttempt[] {
  const ofItems = step.items.flatMap(allAttempts);
  return ofItems.length === 0 ? step.attempts : ofItems;
}

export function timelineLines(rows: readonly TimelineRow[], columns: number): readonly string[] {
  const attempts = rows.flatMap((row) => row.attempts);
  if (attempts.length === 0) return [];
  const from = Math.min(...attempts.map(({ startedAt }) => startedAt));
  const to = Math.max(from + 1, ...attempts.map((attempt) => attempt.endedAt ?? attempt.startedAt));
  const widest = (texts: readonly string[], most: number) => Math.min(most, Math.max(...texts.map(columnsOf)));
  const steps = widest(
    rows.map(({ step }) => oneLine(step)),
    16,
  );
  const workers = widest(
    rows.map(({ worker }) => oneLine(worker)),
    20,
  );
  const counts = Math.max(...rows.map((row) => `×${row.attempts.length}`.length));
  const chart = Math.max(10, columns - steps - workers - counts - 6);
  const end = duration(to - from);
  const scale = `0${" ".repeat(Math.max(1, chart - 1 - end.length))}${end}`;
  const lines = rows.map((row, at) => {
    const step = rows[at - 1]?.step === row.step ? "" : oneLine(row.step);
    const count = `×${row.attempts.length}`.padStart(counts);
    return `${fit(step, steps, true)}  ${fit(oneLine(row.worker), workers, true)}  ${bar(row, from, to, chart)}  ${count}`;
  });
  return [`${" ".repeat(steps + workers + 4)}${scale}`, ...lines];
}

function bar({ attempts }: TimelineRow, from: number, to: number, columns: number): string {
  const cells = Array.from({ length: columns }, () => "·");
  for (const { startedAt, endedAt, end } of attempts) {
    const first = Math.min(columns - 1, Math.floor(((startedAt - from) / (to - from)) * columns));
    const last = Math.max(first, Math.ceil((((endedAt ?? to) - from) / (to - from)) * columns) - 1);
    const mark = end === "completed" || end === "waits" || end === undefined ? "█" : "x";
    for (let cell = first; cell <= Math.min(last, columns - 1); cell++) {
      if (cells[cell] !== "x") cells[cell] = mark;
    }
  }
  return cells.join("");
}
