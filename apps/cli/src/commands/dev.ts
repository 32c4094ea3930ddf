/** `baton dev`: the local stack stays up until it is told to stop. */
import { relative, resolve } from "node:path";
import type { StackEnd } from "@baton/embedded";
import type { Console } from "../console/console.ts";
import { openConsole } from "../console/console.ts";
import { CommandFailure, exits } from "../failure.ts";
import { keyPath } from "../local/key.ts";
import { callersPath, openProject } from "../local/project.ts";
import type { Project } from "../local/project.ts";
import { startLocalStack } from "../local/stack.ts";
import type { LocalStack } from "../local/stack.ts";

export interface DevOptions {
  readonly data?: string;
  readonly workers: number;
  readonly port?: number;
  readonly tools?: string;
  readonly verbose?: boolean;
}

export async function dev(options: DevOptions): Promise<number> {
  const startedAt = performance.now();
  const console = openConsole();
  const project = openProject(options.tools);
  const dataDir = dataFolder(project, options.data);
  console.progress(console.paint("dim", `starting the stack below ${dataDir} …`));
  const stack = await startLocalStack({
    project,
    dataDir,
    console,
    workers: project.config.worker.disabled ? 0 : options.workers,
    port: options.port,
    separateFolders: false,
    env: {},
    verbose: options.verbose === true,
  });
  if (stack.attached) {
    console.data(`Already up: another process runs the stack of ${dataDir}. For a second one take another --data.`);
    console.data(`\n  api      ${stack.apiUrl}\n  API key  ${keyPath(dataDir)}`);
    return 0;
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.data(overview(console, project, stack, dataDir, `up after ${seconds} s`));
  return exitOf(await stack.ended, console, stack);
}

export function dataFolder(project: Project, option: string | undefined): string {
  return option === undefined ? resolve(project.folder, project.config.dataFolder) : callersPath(option);
}

function exitOf(end: StackEnd, console: Console, stack: LocalStack): number {
  if (end.reason === "child-gave-up") {
    throw new CommandFailure(exits.unavailable, `${end.name} does not stay up; its log is in ${stack.logFolder}.`);
  }
  if (end.reason === "postgres-ended") {
    throw new CommandFailure(exits.unavailable, "The private PostgreSQL ended and could not be started again.");
  }
  console.note(console.paint("dim", "stopped; nothing is left running."));
  return 0;
}

function overview(console: Console, project: Project, stack: LocalStack, dataDir: string, headline: string): string {
  const { config } = project;
  const workers = [...stack.names].filter(([, name]) => name.startsWith("worker-"));
  const isPrivate = config.databaseUrl === undefined;
  const rows: readonly (readonly [string, string])[] = [
    ["api", stack.apiUrl],
    ["docs", `${stack.apiUrl}/docs`],
    ["queues", `${stack.apiUrl}/admin/queues`],
    ["API key", stack.apiKey],
    ["", `kept in ${shown(keyPath(dataDir))}, readable by you alone`],
    ["PostgreSQL", isPrivate ? stack.databaseUrl : "DATABASE_URL"],
    ...(isPrivate ? ([["", "private: started here, on loopback alone"]] as const) : []),
    ["queue", config.redisUrl === undefined ? "BullMQ on PostgreSQL (REDIS_URL is not set)" : "BullMQ on REDIS_URL"],
    [
      "workers",
      workers.length === 0
        ? "none: DISABLE_TASK_WORKER is set, tasks wait"
        : workers.map(([pid, name]) => `${name} (pid ${pid})`).join(", "),
    ],
    ...stack.workerUrls.map((url, at) => [at === 0 ? "metrics" : "", `${url}/metrics`] as const),
    [
      "tools",
      project.toolsFolder === undefined
        ? "built-in ones; put your own into tools/ and start again"
        : `${shown(project.toolsFolder)}, read again when a file changes`,
    ],
    [
      "workspaces",
      config.worker.workspaces.length > 0
        ? config.worker.workspaces.join(", ")
        : "any folder that you may read; worker.workspaces narrows it",
    ],
    ["data", shown(dataDir)],
    ["logs", shown(stack.logFolder)],
  ];
  const lines = rows.map(([name, value]) => `  ${console.paintData("dim", name.padEnd(11))} ${value}`);
  const example = 'npm run baton -- run "Summarise every Markdown file below docs" --dir .';
  return [
    `${console.paintData("bold", "baton dev")} ${headline}`,
    "",
    ...lines,
    "",
    `  Try it:  ${example}`,
    "  Ctrl-C stops everything.",
  ].join("\n");
}

function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith("..") ? path : near;
}
