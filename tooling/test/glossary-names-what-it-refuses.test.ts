import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { parseGlossary } from "../glossary/glossary.ts";
import { readNames, splitWords } from "../glossary/names.ts";
import { type GlossaryFinding, scanGlossary } from "../glossary/scan.ts";

const repository = path.resolve(import.meta.dirname, "../..");
const trees: string[] = [];

afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true, force: true });
});

function plant(files: Readonly<Record<string, string>>, minimumFiles = 0): GlossaryFinding[] {
  const root = mkdtempSync(path.join(tmpdir(), "glossary-"));
  trees.push(root);
  mkdirSync(path.join(root, "docs"));
  cpSync(path.join(repository, "docs/GLOSSARY.md"), path.join(root, "docs/GLOSSARY.md"));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  return scanGlossary(root, minimumFiles).findings;
}

describe("the glossary check", () => {
  test.each([
    ["a comment", "packages/core/src/a.ts", "export {};\n// canceled by a person\n", "packages/core/src/a.ts:2"],
    ["an identifier", "packages/core/src/a.ts", "export const isCanceled = true;\n", "packages/core/src/a.ts:1"],
    ["SQL", "drizzle/0001.sql", "select 'CANCELED';\n", "drizzle/0001.sql:1"],
    ["a document", "docs/page.md", "# Page\n\nA cancelation.\n", "docs/page.md:3"],
    ["a file name", "packages/core/src/canceled.ts", "export {};\n", "packages/core/src/canceled.ts"],
  ])("refuses the other spelling in %s", (_what, file, text, where) => {
    expect(plant({ [file]: text })).toEqual([expect.objectContaining({ rule: "one-spelling", where })]);
  });

  test.each([
    ["function", "export function handleStep() {}"],
    ["constant", "export const manageLease = () => {};"],
    ["renamed export", "function processStep() {}\nexport { processStep as perform };"],
    ["method", "export class Pool { doWork() {} }"],
  ])("refuses an exported %s whose verb says nothing", (_what, text) => {
    expect(plant({ "packages/core/src/a.ts": text }).map(({ rule }) => rule)).toEqual(["no-empty-verb"]);
  });

  test("accepts words that only begin like such a verb, and values that are no functions", () => {
    const text = "export function document() {}\nexport const processId = 1;\nexport function domainOf() {}\n";
    expect(plant({ "packages/core/src/a.ts": text })).toEqual([]);
  });

  test.each([
    ["a variable", "packages/store/src/a.ts", "export const jobId = 1;"],
    ["a parameter", "packages/store/src/a.ts", "export const find = (jobs: string[]) => jobs;"],
    ["a property of a type", "packages/store/src/a.ts", "export interface Row { job_id: string }"],
    ["a file name", "packages/store/src/job.ts", "export {};"],
  ])("keeps a word in its home: %s elsewhere is refused", (_what, file, text) => {
    expect(plant({ [file]: text }).map(({ rule }) => rule)).toEqual(["one-home-per-word"]);
  });

  test("accepts the word at home, names that users know, and a vendor's names", () => {
    const findings = plant({
      "packages/queue/src/a.ts": "export const jobId = 1;",
      "packages/store/src/a.ts": "export function getJobStatus() {}\nexport const id = (from: any) => from.job.id;",
    });
    expect(findings).toEqual([]);
  });

  test("refuses a folder that holds anything", () => {
    const findings = plant({ "packages/core/src/utils/a.ts": "export {};" });
    expect(findings).toEqual([
      expect.objectContaining({ rule: "no-empty-folder-name", where: "packages/core/src/utils" }),
    ]);
  });

  test("fails when it sees too few files", () => {
    expect(plant({}, 1).map(({ rule }) => rule)).toEqual(["scan-is-not-empty"]);
  });

  test("refuses a glossary without its tables", () => {
    expect(() => parseGlossary("# Glossary\n")).toThrow("has no table with the columns not, write");
  });
});

describe("names", () => {
  test("a name falls into its words in every writing", () => {
    expect(["cancelJobById", "cancel_job_by_id", "cancel-job-by-id", "CANCEL_JOB_BY_ID"].map(splitWords)).toEqual(
      Array.from({ length: 4 }, () => ["cancel", "job", "by", "id"]),
    );
    expect(splitWords("HTTPServer")).toEqual(["http", "server"]);
  });

  test("bindings inside patterns are declared, used members are not", () => {
    const { declared } = readNames("a.ts", "const { a: { b }, ...c } = d.e; function f([g = 1]: number[]) {}");
    expect([...declared].sort()).toEqual(["b", "c", "f", "g"]);
  });
});
