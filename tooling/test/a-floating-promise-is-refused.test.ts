import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";

const repository = path.resolve(import.meta.dirname, "../..");

const beginning = "export async function flush(): Promise<void> {}\n";

function lint(text: string): { status: number | null; output: string } {
  const root = mkdtempSync(path.join(tmpdir(), "lint-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const file of [".oxlintrc.json", "tsconfig.json"]) cpSync(path.join(repository, file), path.join(root, file));
  // The linter looks for its type-aware half below the folder that it checks.
  symlinkSync(path.join(repository, "node_modules"), path.join(root, "node_modules"));
  mkdirSync(path.join(root, "packages/planted/src"), { recursive: true });
  writeFileSync(path.join(root, "packages/planted/src/planted.ts"), beginning + text);
  const oxlint = path.join(repository, "node_modules/.bin/oxlint");
  const run = spawnSync(oxlint, ["--type-aware", "--deny-warnings", "--format=unix"], { cwd: root, encoding: "utf8" });
  return { status: run.status, output: run.stdout + run.stderr };
}

/** The linter builds the types of every room, on whatever processors are left to it. */
const patienceMs = 240_000;

test("sound code passes", { timeout: patienceMs }, () => {
  expect(lint("export async function close() {\n  await flush();\n}\n").status).toBe(0);
});

test.each([
  ["no-floating-promises", "export function close() {\n  flush();\n}\n"],
  ["no-misused-promises", "export const isOpen = () => (flush() ? 1 : 2);\n"],
  ["await-thenable", "export async function close() {\n  await 1;\n}\n"],
])("the lint names %s", { timeout: patienceMs }, (rule, text) => {
  const { status, output } = lint(text);
  expect(output).toContain(rule);
  expect(status).not.toBe(0);
});
