/** The programs of the local stack, by the path of their entry; this room imports none of them. */
import { spawn } from "node:child_process";
import { mkdir, rm, symlink } from "node:fs/promises";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChildProgram } from "@baton/embedded";
import { CommandFailure, exits } from "../failure.ts";

const entry = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const entries = {
  api: entry("apps/api/src/main.ts"),
  worker: entry("apps/worker/src/main.ts"),
  migrate: entry("packages/store/src/migrations/main.ts"),
};

export interface ProgramsPlan {
  readonly projectFolder: string;
  readonly dataDir: string;
  readonly port: number;
  /** Of the workers' health ports, one per worker. */
  readonly workerPorts: readonly number[];
  readonly apiKey: string;
  readonly databaseUrl: string;
  readonly toolsFolder: string | undefined;
  readonly agentsFolder: string | undefined;
  /** The settings say which folders tasks may read. Otherwise any: who has the key is the user that it all runs as. */
  readonly limitsWorkspaces: boolean;
  /** Every worker gets a working folder of its own below the data folder. */
  readonly separateFolders: boolean;
  readonly env: Readonly<Record<string, string>>;
}

export async function stackPrograms(plan: ProgramsPlan): Promise<readonly ChildProgram[]> {
  const env = {
    // Saves a third of the processor time of a start: the stripped and compiled sources are kept.
    NODE_COMPILE_CACHE: join(plan.dataDir, "compile-cache"),
    // As in the image: each process stays 100 MB smaller.
    NODE_OPTIONS: "--max-semi-space-size=16",
    MALLOC_ARENA_MAX: "2",
    ...(!plan.limitsWorkspaces && { BATON_WORKSPACES: "/" }),
    ...plan.env,
    DATABASE_URL: plan.databaseUrl,
    ...(plan.toolsFolder !== undefined && { BATON_TOOLS: plan.toolsFolder }),
    ...(plan.agentsFolder !== undefined && { BATON_AGENTS: plan.agentsFolder }),
  };
  const node = { command: process.execPath };
  const api: ChildProgram = {
    ...node,
    name: "api",
    args: [entries.api],
    cwd: plan.projectFolder,
    env: { ...env, BATON_HOST: "127.0.0.1", BATON_PORT: String(plan.port), BATON_API_KEY: plan.apiKey },
  };
  const workers = plan.workerPorts.map(async (port, at): Promise<ChildProgram> => {
    const name = `worker-${at + 1}`;
    const cwd = plan.separateFolders ? await workingFolder(plan, name) : plan.projectFolder;
    return { ...node, name, args: [entries.worker], cwd, env: { ...env, BATON_WORKER_PORT: String(port) } };
  });
  return [api, ...(await Promise.all(workers))];
}

/** Holds nothing but links to the project's settings, which a worker reads from its working folder. */
async function workingFolder({ projectFolder, dataDir }: ProgramsPlan, name: string): Promise<string> {
  const folder = join(dataDir, "working-folders", name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const settings = readdirSync(projectFolder).filter((file) => /^baton(\..+)?\.toml$/.test(file));
  for (const file of settings) await symlink(join(projectFolder, file), join(folder, file));
  return folder;
}

export interface Migration {
  readonly exitCode: number;
  /** What it printed, on both streams. */
  readonly output: string;
}

/** In a process of its own: this room knows no database. */
export async function migrate(databaseUrl: string | undefined, signal?: AbortSignal): Promise<Migration> {
  if (!existsSync(entries.migrate)) throw new CommandFailure(exits.internal, `${entries.migrate} is missing.`);
  const env = databaseUrl === undefined ? process.env : { ...process.env, DATABASE_URL: databaseUrl };
  const child = spawn(process.execPath, [entries.migrate], { env, stdio: ["ignore", "pipe", "pipe"] });
  const kill = () => child.kill("SIGTERM");
  signal?.addEventListener("abort", kill, { once: true });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? exits.internal));
  });
  signal?.removeEventListener("abort", kill);
  return { exitCode, output: output.trim() };
}
