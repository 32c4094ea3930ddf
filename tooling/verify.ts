/**
 * `npm run verify`: every check of the sources, none of the tests.
 *
 * Boundary: it starts the tasks of turbo.json and reports them; each check stands in tooling/package.json.
 * 1. Every check runs, also after one has failed; the output of each failed one is printed in full.
 * 2. A check whose inputs are unchanged since it last passed is not run again (turbo's local cache).
 * 3. The last line is `N passed, N failed`, alone.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { type CheckResult, formatTable, readResults, type TurboSummary } from "./verify/summary.ts";

const checks = {
  "check:format": "Biome's formatting",
  "check:lint": "Biome's rules",
  "check:lint-typed": "type-aware rules: no promise floats",
  "check:types": "tsc -b",
  "check:boundaries": "which room may import which, cycles, vendors",
  "check:unused": "unused files, exports and dependencies",
  "check:glossary": "words of docs/GLOSSARY.md",
  "check:generated": "generated files follow their sources",
};

const root = path.resolve(import.meta.dirname, "..");
const commands = path.join(root, "node_modules/.bin");

function runTurbo(names: readonly string[], flags: readonly string[]) {
  const turboFlags = ["--continue=always", "--output-logs=none", "--summarize", "--concurrency=3"];
  return spawnSync(path.join(commands, "turbo"), ["run", ...names, ...turboFlags, ...flags], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    env: {
      ...process.env,
      PATH: [commands, path.dirname(process.execPath), process.env["PATH"]].join(path.delimiter),
      TURBO_TELEMETRY_DISABLED: "1",
      DO_NOT_TRACK: "1",
      NO_COLOR: "1",
      FORCE_COLOR: undefined,
    },
  });
}

function verify(): CheckResult[] {
  const names = Object.keys(checks);
  const flags = process.argv.includes("--force") ? ["--force"] : [];
  const run = runTurbo(names, flags);
  const summaryFile = /^Summary:\s+(?<file>.+\.json)$/m.exec(run.stdout ?? "")?.groups?.["file"];
  if (summaryFile === undefined || !existsSync(summaryFile)) {
    const output = [run.error?.message, run.stdout, run.stderr].filter((text) => text).join("\n");
    console.log(`turbo wrote no summary (exit ${run.status ?? run.signal}):\n${output}`);
    return readResults(names, { tasks: [] });
  }
  const summary = JSON.parse(readFileSync(summaryFile, "utf8")) as TurboSummary;
  rmSync(summaryFile);
  return readResults(names, summary);
}

function readLog({ logFile }: CheckResult): string {
  if (logFile === undefined || !existsSync(path.join(root, logFile))) return "(it left no output)";
  return readFileSync(path.join(root, logFile), "utf8").trim();
}

const results = verify();
const failed = results.filter(({ isPassed }) => !isPassed);
for (const result of failed) console.log(`\n── ${result.check} ──\n${readLog(result)}`);
console.log(`\n${formatTable(results, checks)}\n`);
console.log(`${results.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length > 0 ? 1 : 0;
