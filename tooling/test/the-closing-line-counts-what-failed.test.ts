import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { formatTable, readResults } from "../verify/summary.ts";

const repository = path.resolve(import.meta.dirname, "../..");

test("a test run ends with its counts, a throwing hook counts as failed, and each skip says why", () => {
  const vitest = path.join(repository, "node_modules/vitest/vitest.mjs");
  const fixtures = path.join(import.meta.dirname, "fixtures");
  const run = spawnSync(process.execPath, [vitest, "run", "--root", fixtures], { encoding: "utf8" });

  expect(run.stdout.trimEnd().split("\n").at(-1)).toBe("1 passed, 2 failed, 4 skipped");
  expect(run.stdout).toContain("is skipped while it runs (1 test): no such server");
  expect(run.stdout).toContain("[skipped: no Docker daemon] (2 tests): no Docker daemon");
  expect(run.stdout).toContain('a hook of "a suite whose hook throws" failed');
  expect(run.status).toBe(1);
});

test.each([
  ["both stages pass", "8 passed, 0 failed", 0, "90 passed, 0 failed, 2 skipped", 0, "98 passed, 0 failed", 0],
  ["a check fails", "7 passed, 1 failed", 1, "90 passed, 0 failed, 2 skipped", 0, "97 passed, 1 failed", 1],
  ["a stage ends without counts", "8 passed, 0 failed", 0, "Segmentation fault", 0, "8 passed, 1 failed", 1],
  [
    "a stage fails although nothing is counted",
    "8 passed, 0 failed",
    0,
    "1 passed, 0 failed",
    1,
    "9 passed, 1 failed",
    1,
  ],
])("continuous integration: %s", (_case, verify, verifyExit, tests, testsExit, line, exit) => {
  const root = mkdtempSync(path.join(tmpdir(), "ci-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(path.join(root, ".ci"));
  cpSync(path.join(repository, ".ci/run"), path.join(root, ".ci/run"));
  const npm = `#!/bin/sh\nif [ "$2" = verify ]; then echo "${verify}"; exit ${verifyExit}; fi\necho "${tests}"; exit ${testsExit}\n`;
  writeFileSync(path.join(root, "npm"), npm);
  chmodSync(path.join(root, "npm"), 0o755);

  const env = { ...process.env, PATH: `${root}${path.delimiter}${process.env["PATH"]}` };
  const run = spawnSync(path.join(root, ".ci/run"), { encoding: "utf8", env });
  expect(run.stdout.trimEnd().split("\n").at(-1)).toBe(line);
  expect(run.status).toBe(exit);
});

test("a check without a record has failed", () => {
  const execution = { startTime: 1_000, endTime: 2_500, exitCode: 0 };
  const task = { taskId: "tooling#a", task: "a", logFile: "a.log", cache: { status: "MISS" }, execution };
  const results = readResults(["a", "b"], { tasks: [task] });
  expect(results.map(({ check, isPassed }) => [check, isPassed])).toEqual([
    ["a", true],
    ["b", false],
  ]);
  expect(formatTable(results, { a: "what a is" })).toContain("ok      a    1.5 s  what a is");
});
