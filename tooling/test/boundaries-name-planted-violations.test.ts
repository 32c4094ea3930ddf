import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { findCycles } from "../boundaries/cycles.ts";
import { listSpecifiers } from "../boundaries/graph.ts";
import { type Finding, scanBoundaries } from "../boundaries/scan.ts";

const trees: string[] = [];

afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true, force: true });
});

/** A small house that keeps every rule; each test plants one thing into it. */
const soundHouse: Readonly<Record<string, string>> = {
  "pnpm-workspace.yaml": "packages:\n  - apps/*\n  - packages/*\n  - tests\n",
  "packages/core/src/index.ts": 'import { z } from "zod";\nexport const id = z.string();\n',
  "packages/store/src/index.ts":
    'import { id } from "@baton/core";\nimport pg from "pg";\nexport const open = [id, pg];\n',
  "packages/queue/src/index.ts": 'import type { id } from "@baton/core";\nexport type Id = typeof id;\n',
  "packages/executor/src/index.ts": 'import { id } from "@baton/core";\nexport const attempt = id;\n',
  "packages/contracts/src/index.ts": 'import { id } from "@baton/core";\nexport const body = id;\n',
  "packages/client/src/index.ts": 'import { body } from "@baton/contracts";\nexport const call = body;\n',
  "packages/testing/src/index.ts": 'import { open } from "@baton/store";\nexport const database = open;\n',
  "apps/cli/src/index.ts": 'import { call } from "@baton/client";\nexport const run = call;\n',
  "apps/web/src/index.ts": 'import { call } from "@baton/client";\nexport const page = call;\n',
  "packages/runtime/src/index.ts":
    'import { attempt } from "@baton/executor";\nimport { open } from "@baton/store";\nexport const runtime = [attempt, open];\n',
  "apps/api/src/index.ts": 'import { runtime } from "@baton/runtime";\nexport const compose = runtime;\n',
  "tests/e2e/whole.test.ts": 'import { database } from "@baton/testing";\nexport const whole = database;\n',
};

const vendors: Readonly<Record<string, readonly string[]>> = {
  "packages/core": ["zod"],
  "packages/store": ["pg"],
  "packages/queue": ["bullmq", "pg"],
  "packages/contracts": ["zod"],
};

function plant(changes: Readonly<Record<string, string>> = {}): Finding[] {
  const root = mkdtempSync(path.join(tmpdir(), "boundaries-"));
  trees.push(root);
  const files = { ...soundHouse, ...changes };
  for (const [file, text] of Object.entries(files)) write(root, file, text);
  const folders = new Set(
    Object.keys(files).map((file) => file.split("/", file.startsWith("tests/") ? 1 : 2).join("/")),
  );
  for (const folder of folders) {
    if (folder.endsWith(".yaml") || `${folder}/package.json` in files) continue;
    const dependencies = Object.fromEntries((vendors[folder] ?? []).map((vendor) => [vendor, "1.0.0"]));
    const name = `@baton/${path.basename(folder)}`;
    write(root, `${folder}/package.json`, JSON.stringify({ name, exports: { ".": "./src/index.ts" }, dependencies }));
  }
  return [...scanBoundaries(root, { modules: 10, roomImports: 8 }).findings];
}

function write(root: string, file: string, text: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}

describe("the boundary check", () => {
  test("finds nothing in a house that keeps the rules", () => {
    expect(plant()).toEqual([]);
  });

  test.each([
    ["core-imports-no-room", "core → store", "packages/core/src/a.ts", 'import "@baton/store";'],
    [
      "engine-imports-only-core",
      "engine → adapter",
      "packages/executor/src/a.ts",
      'import { open } from "@baton/store";',
    ],
    ["adapters-import-only-core", "adapter → engine", "packages/store/src/a.ts", 'import "@baton/executor";'],
    ["adapters-import-only-core", "adapter → adapter", "packages/queue/src/a.ts", 'import "@baton/store";'],
    ["adapters-import-only-core", "adapter → runtime", "packages/store/src/a.ts", 'import "@baton/runtime";'],
    ["engine-imports-only-core", "engine → runtime", "packages/executor/src/a.ts", 'import "@baton/runtime";'],
    ["runtime-composes-engine-and-adapters", "runtime → app", "packages/runtime/src/a.ts", 'import "@baton/api";'],
    ["cli-speaks-only-to-the-api", "cli → runtime", "apps/cli/src/a.ts", 'import "@baton/runtime";'],
    ["contracts-import-only-core", "contracts → store", "packages/contracts/src/a.ts", 'import "@baton/store";'],
    ["client-imports-contracts-and-core", "client → store", "packages/client/src/a.ts", 'import "@baton/store";'],
    ["web-speaks-only-to-the-api", "web → store", "apps/web/src/a.ts", 'import "@baton/store";'],
    ["cli-speaks-only-to-the-api", "cli → store", "apps/cli/src/a.ts", 'import "@baton/store";'],
    ["apps-meet-rooms-not-apps", "app → app", "apps/api/src/a.ts", 'import "@baton/cli";'],
    ["testing-only-in-tests", "app → testing", "apps/api/src/a.ts", 'import "@baton/testing";'],
    ["tests-import-no-app", "room's test → app", "packages/store/test/a.test.ts", 'import "@baton/api";'],
    ["core-does-no-io", "core → node:fs", "packages/core/src/a.ts", 'import "node:fs";'],
    ["core-imports-only-its-vendors", "core → vendor", "packages/core/src/a.ts", 'import "pg";'],
    ["vendor-imported-only-by-its-owner", "queue → pg", "packages/queue/src/a.ts", 'import "pg";'],
    ["every-room-is-placed", "an unplaced room", "packages/attic/src/index.ts", "export {};"],
  ])("names %s for %s", (rule, _what, file, text) => {
    const findings = plant({ [file]: text });
    expect(findings.map((finding) => finding.rule)).toEqual([rule]);
    expect(file).toContain(findings[0]?.where);
  });

  test.each([
    ["a type import", 'import type { open } from "@baton/store";'],
    ["an export from", 'export { open } from "@baton/store";'],
    ["a dynamic import", 'export const late = () => import("@baton/store");'],
    ["a type written as import()", 'export type Open = import("@baton/store").open;'],
    ["a subpath", 'import "@baton/store/schema";'],
  ])("sees %s", (_form, text) => {
    expect(plant({ "packages/core/src/a.ts": text }).map(({ rule }) => rule)).toEqual(["core-imports-no-room"]);
  });

  test("names both rules when a room is entered through the wall", () => {
    const findings = plant({ "packages/core/src/a.ts": 'import "../../store/src/index.ts";' });
    expect(findings.map(({ rule }) => rule)).toEqual(["enter-a-room-by-its-exports", "core-imports-no-room"]);
  });

  test("names a cycle file by file, within one room", () => {
    const findings = plant({
      "packages/store/src/a.ts": 'import "./b.ts";',
      "packages/store/src/b.ts": 'import "./c.ts";',
      "packages/store/src/c.ts": 'import "./a.ts";',
    });
    expect(findings).toEqual([
      {
        rule: "no-cycle",
        where: "packages/store/src/a.ts",
        what: "packages/store/src/a.ts → packages/store/src/b.ts → packages/store/src/c.ts → packages/store/src/a.ts",
      },
    ]);
  });

  test("names the rooms between which a second home for a vendor was opened", () => {
    const findings = plant({
      "packages/executor/package.json": '{"name":"@baton/executor","dependencies":{"bullmq":"1.0.0"}}',
    });
    expect(findings.map(({ rule }) => rule)).toEqual(["one-room-per-vendor"]);
    expect(findings[0]?.where).toBe("packages/executor/package.json, packages/queue/package.json");
  });

  test("lets a room's own tests use real adapters and the testing room", () => {
    const text = 'import "@baton/testing";\nimport "@baton/store";\nimport "node:fs";';
    expect(plant({ "packages/executor/test/a.test.ts": text, "packages/core/test/a.test.ts": text })).toEqual([]);
  });

  test("fails when it sees no modules", () => {
    const root = mkdtempSync(path.join(tmpdir(), "boundaries-"));
    trees.push(root);
    write(root, "pnpm-workspace.yaml", "packages:\n  - packages/*\n");
    const { findings } = scanBoundaries(root, { modules: 1, roomImports: 0 });
    expect(findings.map(({ rule }) => rule)).toEqual(["graph-is-not-empty"]);
  });

  test("refuses a source that does not parse", () => {
    expect(() => listSpecifiers("broken.ts", "import { from")).toThrow("broken.ts does not parse");
  });
});

describe("cycles", () => {
  test("two separate cycles are two findings, and a way that only leads to a cycle is none", () => {
    const graph = new Map([
      ["way", ["a"]],
      ["a", ["b"]],
      ["b", ["a"]],
      ["self", ["self"]],
    ]);
    expect(findCycles(graph)).toEqual([
      ["a", "b", "a"],
      ["self", "self"],
    ]);
  });

  test("the shortest way round is shown", () => {
    const graph = new Map([
      ["a", ["b", "d"]],
      ["b", ["c"]],
      ["c", ["a"]],
      ["d", ["a"]],
    ]);
    expect(findCycles(graph)).toEqual([["a", "d", "a"]]);
  });
});
