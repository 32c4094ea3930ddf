/**
 * The local stack: private PostgreSQL, migration, api and workers, up and answering.
 *
 * Purpose: what `dev` and `demo` start, and what others attach to. Boundary: processes are started, stopped and
 * restarted by @baton/embedded; what is done with the stack is the commands' business.
 *
 * 1. It listens on loopback only, and its key stands in a file that only its owner can read.
 * 2. No URL is guessed: without DATABASE_URL the database is private, without REDIS_URL the queue is on it.
 * 3. It counts as up when the api says that a worker serves it; until then a child that dies is an error with
 *    that child's last words.
 * 4. A stack that is already up on the data folder is attached to, and left alone at the end.
 */
import { superviseStack } from "@baton/embedded";
import type { ChildEvent, Stack, StackEnd } from "@baton/embedded";
import type { Console } from "../console/console.ts";
import { CommandFailure, exits } from "../failure.ts";
import { openChildLog } from "./child-log.ts";
import type { ChildLog } from "./child-log.ts";
import { ensureLocalKey } from "./key.ts";
import { choosePort } from "./port.ts";
import { migrate, stackPrograms } from "./programs.ts";
import type { Project } from "./project.ts";
import { untilReady } from "./readiness.ts";

export interface LocalStackOptions {
  readonly project: Project;
  readonly dataDir: string;
  readonly workers: number;
  /** Absent: the configured one, or a free one. */
  readonly port: number | undefined;
  readonly separateFolders: boolean;
  /** Added to every child's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly verbose: boolean;
  readonly console: Console;
}

export interface LocalStack {
  readonly attached: boolean;
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly databaseUrl: string;
  readonly logFolder: string;
  /** Names of the running children by pid; empty when attached. */
  readonly names: ReadonlyMap<number, string>;
  readonly ended: Promise<StackEnd>;
  stop(): Promise<StackEnd>;
}

/** A worker hands its steps back within 20 s; what PostgreSQL and the api need comes on top. */
const graceMs = 30_000;

export async function startLocalStack(options: LocalStackOptions): Promise<LocalStack> {
  const { project, dataDir, console } = options;
  const apiKey = await ensureLocalKey(dataDir);
  const port = await choosePort(options.port, project.config.api.port);
  const apiUrl = `http://127.0.0.1:${port}`;
  let isUp = false;
  // Until it is up, what a child says is shown only when it does not stay up.
  const log = openChildLog(dataDir, options.verbose, (text) => {
    if (isUp || options.verbose) console.note(console.paint("dim", text));
  });
  const names = new Map<number, string>();
  const stack = await superviseStack({
    dataDir,
    graceMs,
    ...(project.config.databaseUrl !== undefined && { databaseUrl: project.config.databaseUrl }),
    settings: { max_connections: String(100 + 40 * options.workers) },
    onLine: (line) => log.write(line),
    onChild: (event) => observe(event, names, log, console),
    children: async (databaseUrl, stopping) => {
      await migrateFirst(databaseUrl, stopping);
      return await stackPrograms({
        ...options,
        projectFolder: project.folder,
        toolsFolder: project.toolsFolder,
        port,
        apiKey,
        databaseUrl,
      });
    },
  });
  const shared = { databaseUrl: stack.databaseUrl, logFolder: log.folder, names, apiKey };
  const ends = { ended: stack.ended, stop: () => stack.stop() };
  if (stack.attached) return { ...shared, ...ends, attached: true, apiUrl: stack.urls["api"] ?? "" };
  await becomeReady(stack, apiUrl, log);
  isUp = true;
  return { ...shared, ...ends, attached: false, apiUrl };
}

async function becomeReady(stack: Stack, apiUrl: string, log: ChildLog): Promise<void> {
  const waiting = new AbortController();
  const ended = stack.ended.then((end) => {
    throw endedEarly(end, log);
  });
  try {
    await Promise.race([untilReady(apiUrl, waiting.signal), ended]);
    await stack.publish({ api: apiUrl, docs: `${apiUrl}/docs`, queues: `${apiUrl}/admin/queues` });
  } catch (error) {
    await stack.stop();
    throw error;
  } finally {
    waiting.abort();
    ended.catch(() => undefined);
  }
}

async function migrateFirst(databaseUrl: string, stopping: AbortSignal): Promise<void> {
  const { exitCode, output } = await migrate(databaseUrl, stopping);
  if (exitCode === 0 || stopping.aborted) return;
  throw new CommandFailure(exitCode, `The database could not be migrated:\n${output}`);
}

function observe(event: ChildEvent, names: Map<number, string>, log: ChildLog, console: Console): void {
  if (event.kind === "started") {
    names.set(event.pid, event.name);
    log.forget(event.name);
  } else if (event.kind === "restarting") {
    console.note(console.paint("yellow", `${event.name} ended unasked; it starts again in ${event.inMs} ms.`));
  }
}

function endedEarly(end: StackEnd, log: ChildLog): CommandFailure {
  if (end.reason === "signal") return new CommandFailure(exits.interrupted, "Stopped before it was up.");
  if (end.reason !== "child-gave-up") return new CommandFailure(exits.unavailable, `The stack ended: ${end.reason}.`);
  const words = log.lastLines(end.name).map((line) => `  ${line}`);
  return new CommandFailure(
    exits.unavailable,
    [`${end.name} does not stay up. Its last words (all of them are in ${log.folder}):`, ...words].join("\n"),
  );
}
