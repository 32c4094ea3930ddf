/**
 * What turbo recorded about one run, as results of checks.
 *
 * Boundary: reads the summary that `turbo run --summarize` writes; starts nothing.
 * 1. A check that was asked for and has no record failed: a run that is cut short is never green.
 */
interface RecordedTask {
  readonly taskId: string;
  readonly task: string;
  readonly logFile: string;
  readonly cache: { readonly status: string };
  readonly execution?: { readonly startTime: number; readonly endTime: number; readonly exitCode: number | null };
}

export interface TurboSummary {
  readonly tasks: readonly RecordedTask[];
}

export interface CheckResult {
  readonly check: string;
  readonly isPassed: boolean;
  readonly isCached: boolean;
  readonly durationMs: number;
  /** Path of the check's output below the root. */
  readonly logFile: string | undefined;
}

export function readResults(checks: readonly string[], summary: TurboSummary): CheckResult[] {
  return checks.map((check) => {
    const recorded = summary.tasks.find(({ task }) => task === check);
    const { execution } = recorded ?? {};
    return {
      check,
      isPassed: execution?.exitCode === 0,
      isCached: recorded?.cache.status === "HIT",
      durationMs: execution ? execution.endTime - execution.startTime : 0,
      logFile: recorded?.logFile,
    };
  });
}

export function formatTable(results: readonly CheckResult[], meanings: Readonly<Record<string, string>>): string {
  const width = Math.max(...results.map(({ check }) => check.length));
  const rows = results.map(({ check, isPassed, isCached, durationMs }) => {
    const time = isCached ? "cached" : `${(durationMs / 1_000).toFixed(1)} s`;
    return `  ${isPassed ? "ok    " : "FAILED"}  ${check.padEnd(width)}  ${time.padStart(7)}  ${meanings[check] ?? ""}`;
  });
  return rows.join("\n");
}
