/**
 * What counts as used: every door of a room's manifest, every process's main file, every test.
 *
 * Boundary: configuration of one check; which rooms exist is read from the workspace.
 * 1. A room whose index is still empty, or that has no source, is being built: its files and its dependencies are not judged yet.
 * 2. Everything else that nobody imports is a finding; a type used only in its own file is not.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { KnipConfig } from "knip";
import { listFiles, listRooms } from "./tooling/workspace/workspace.ts";

const root = import.meta.dirname;

/** Files that no import names: the bootstrap hands the path on to Node. */
const startedByPath: Readonly<Record<string, readonly string[]>> = {
  "packages/embedded": ["src/lifetime/import.ts"],
  "packages/store": ["src/migrations/main.ts"],
};

function isBeingBuilt(folder: string): boolean {
  if (!/^(?:apps|packages)\//.test(folder)) return listFiles(root, folder, [".ts"]).length === 0;
  const index = path.join(root, folder, "src/index.ts");
  const text = existsSync(index) ? readFileSync(index, "utf8") : "export {}";
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "").trim();
  return /^(?:export \{\s*\};?)?$/.test(code);
}

/** Started by their paths, as an operator's file of MCP servers does it. */
const mcpServers = ["@modelcontextprotocol/server-filesystem"];

function room(folder: string) {
  const entry = ["src/main.ts", "test/**/*.ts", ...(startedByPath[folder] ?? [])];
  if (isBeingBuilt(folder)) return { entry: [...entry, "src/**/*.ts"], ignoreDependencies: [/.*/] };
  if (folder === "tests") return { entry: ["**/*.ts"], ignoreDependencies: mcpServers };
  if (folder === "apps/cli") return { entry, ignoreDependencies: mcpServers };
  if (folder === "bench") return { entry: ["**/*.ts"] };
  // What a browser loads is named by its page.
  if (folder === "examples") return { entry: ["**/*.ts", "chat/src/main.tsx"] };
  if (folder === "tooling") return { entry: ["bootstrap.mjs", "verify.ts", "test/**/*.ts"] };
  return { entry };
}

export default {
  workspaces: {
    ".": {
      project: ["*.ts"],
      // Linked for their commands.
      ignoreDependencies: ["pnpm", "turbo"],
    },
    ...Object.fromEntries(listRooms(root).map(({ folder }) => [folder, room(folder)])),
  },
  ignoreExportsUsedInFile: { interface: true, type: true },
  exclude: ["catalog", "binaries"],
} satisfies KnipConfig;
