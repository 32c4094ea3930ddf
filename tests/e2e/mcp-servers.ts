/** The MCP servers of docs/tools-mcp.md, as a test has them: over a folder of its own, and not from the network. */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PlanSpec } from "@baton/core/plan";

const page = readFileSync(new URL("../../docs/tools-mcp.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, json = ""]) => json);
const documentedFolder = "/srv/documents";

/** As an operator writes it. */
export const secretNamed = (name: string): string => ["$", "{secret:", name, "}"].join("");

/** The page's file of servers, as it stands there. */
export const documentedServers = JSON.parse(blocks[0] ?? "") as { mcpServers: Record<string, Record<string, unknown>> };

export const documentedPlan = (folder: string): PlanSpec =>
  JSON.parse((blocks[1] ?? "").replaceAll(documentedFolder, folder)) as PlanSpec;

/** The server over files, installed, over this folder. */
function fileServer(folder: string): Record<string, unknown> {
  const { command, args } = documentedServers.mcpServers["documents"] as { command: string; args: string[] };
  const [yes, package_ = "", over] = args;
  const name = package_.slice(0, package_.lastIndexOf("@"));
  if (name !== "@modelcontextprotocol/server-filesystem") throw new Error(`The page names ${name}.`);
  if (command !== "npx" || yes !== "-y" || over !== documentedFolder) throw new Error("The page starts it otherwise.");
  const manifest = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-filesystem/package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const program = join(manifest, "../dist/index.js");
  if (package_ !== `${name}@${version}`) throw new Error(`The page names ${package_}; installed is ${version}.`);
  return { command: process.execPath, args: [program, folder] };
}

/** Writes the file; resolves to its path. */
export async function writeServers(
  path: string,
  folder: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  await writeFile(path, JSON.stringify({ mcpServers: { documents: fileServer(folder), ...more } }));
  return path;
}

/** One that does what its tools are named for. */
export const oddServer = (env: Readonly<Record<string, string>>): Record<string, unknown> => ({
  command: process.execPath,
  args: [fileURLToPath(new URL("../../packages/tools/test/programs/misbehaving-mcp-server.ts", import.meta.url))],
  env,
  relistMs: 0,
});
