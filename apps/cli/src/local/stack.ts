/**
 * The local stack: private PostgreSQL, migration, api and workers, up and answering.
 *
 * Purpose: what `dev` and `demo` start, and what others attach to. Boundary: processes are started, stopped and
 * restarted by @baton/embedded; what is done with the stack is the commands' business.
 *
 * 1. It listens on loopback only, and its key stands in a file that only its owner can read.
 * 2. No URL is guessed: without DATABASE_URL the database is private, without REDIS_URL the queue is on it.
 * 3. It counts as up when the api and every worker say so; a child that does not stay up until then is an error
 *    with that child's last words.
 * 4. A stack that is already up on the data folder is attached to, and left alone at the end.
 */
import { setTimeout as delay } from "node:timers/promises";
import { findStack, superviseStack } from "@baton/embedded";
import type { ChildEvent, Stack, StackEnd } from "@baton/embedded";
import type { Console } from "../console/console.ts";
import { CommandFailure, exits } from "../failure.ts";
import { openChildLog } from "./child-log.ts";
import type { ChildLog } from "./child-log.ts";
import { ensureLocalKey } from "./key.ts";
import { choosePort, freePorts } from "./port.ts";
import { migrate, stackPrograms } from "./programs.ts";
import type { Project } from "./project.ts";
import { untilServed, untilUp } from "./readiness.ts";

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
  /** Health and metrics, by worker; empty when attached. */
  readonly workerUrls: readonly string[];
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
  const { project, dataDir } = options;
  const apiKey = await ensureLocalKey(dataDir);
  // A stack that is up has the ports already.
  const isUpElsewhere = (await findStack(dataDir)) !== undefined;
  const port = isUpElsewhere ? 0 : await choosePort(options.port, project.config.api.port);
  const workerPorts = await freePorts(options.workers);
  const apiUrl = `http://127.0.0.1:${port}`;
  const watch = new StartWatch(options);
  const stack = await superviseStack({
    dataDir,
    graceMs,
    ...(project.config.databaseUrl !== undefined && { databaseUrl: project.config.databaseUrl }),
    settings: { max_connections: String(100 + 40 * options.workers) },
    onLine: (line) => watch.log.write(line),
    onChild: (event) => watch.observe(event),
    children: async (databaseUrl, stopping) => {
      await migrateFirst(databaseUrl, stopping);
      return await stackPrograms({
        ...options,
        projectFolder: project.folder,
        toolsFolder: project.toolsFolder,
        agentsFolder: project.agentsFolder,
        limitsWorkspaces: project.config.worker.workspaces.length > 0,
        port,
        workerPorts,
        apiKey,
        databaseUrl,
      });
    },
  });
  const { names, log } = watch;
  const shared = { databaseUrl: stack.databaseUrl, logFolder: log.folder, names, apiKey };
  const ends = { ended: stack.ended, stop: () => stack.stop() };
  const workerUrls = workerPorts.map((workerPort) => `http://127.0.0.1:${workerPort}`);
  if (stack.attached) return { ...shared, ...ends, attached: true, apiUrl: stack.urls["api"] ?? "", workerUrls: [] };
  await becomeReady(stack, apiUrl, workerUrls, watch);
  return { ...shared, ...ends, attached: false, apiUrl, workerUrls };
}

/** What the children do and say, and whether one of them can never come up. */
class StartWatch {
  readonly names = new Map<number, string>();
  readonly log: ChildLog;
  isUp = false;
  readonly #console: Console;
  readonly #hopeless = Promise.withResolvers<string>();
  #hopelessName: string | undefined;

  constructor({ dataDir, verbose, console }: LocalStackOptions) {
    this.#console = console;
    // Until it is up, what a child says is shown only when it does not stay up.
    this.log = openChildLog(dataDir, verbose, (text) => {
      if (this.isUp || verbose) console.note(console.paint("dim", text));
    });
  }

  /** The name of a child whose configuration is wrong: starting it again mends nothing. */
  get hopeless(): Promise<string> {
    return this.#hopeless.promise;
  }

  observe(event: ChildEvent): void {
    const { name } = event;
    if (event.kind === "started") {
      this.names.set(event.pid, name);
      if (name !== this.#hopelessName) this.log.forget(name);
      if (this.isUp) this.#console.note(this.#console.paint("yellow", `${name} started again (pid ${event.pid}).`));
    } else if (event.kind === "restarting") {
      this.#console.note(this.#console.paint("yellow", `${name} ended unasked; it starts again in ${event.inMs} ms.`));
    } else if (event.code === exits.configuration && !this.isUp) {
      this.#hopelessName ??= name;
      this.#hopeless.resolve(this.#hopelessName);
    }
  }

  failure(name: string): CommandFailure {
    const words = this.log.lastLines(name).map((line) => `  ${line}`);
    const headline = `${name} does not stay up. Its last words (all of them are in ${this.log.folder}):`;
    return new CommandFailure(exits.unavailable, [headline, ...words].join("\n"));
  }
}

async function becomeReady(
  stack: Stack,
  apiUrl: string,
  workerUrls: readonly string[],
  watch: StartWatch,
): Promise<void> {
  const waiting = new AbortController();
  const { signal } = waiting;
  const ended = stack.ended.then((end) => {
    throw endedEarly(end, watch);
  });
  const hopeless = watch.hopeless.then(async (name) => {
    // Its last words may still be in the pipe when its end is known.
    await delay(300);
    throw watch.failure(name);
  });
  const ready = Promise.all([untilServed(apiUrl, signal), ...workerUrls.map((url) => untilUp(url, signal))]);
  try {
    await Promise.race([ready, ended, hopeless]);
    await stack.publish({ api: apiUrl, docs: `${apiUrl}/docs`, queues: `${apiUrl}/admin/queues` });
    watch.isUp = true;
  } catch (error) {
    await stack.stop();
    throw error;
  } finally {
    waiting.abort();
    // Whichever lost the race may still reject.
    for (const other of [ready, ended, hopeless]) other.catch(() => undefined);
  }
}

async function migrateFirst(databaseUrl: string, stopping: AbortSignal): Promise<void> {
  const { exitCode, output } = await migrate(databaseUrl, stopping);
  if (exitCode === 0 || stopping.aborted) return;
  throw new CommandFailure(exitCode, `The database could not be migrated:\n${output}`);
}

function endedEarly(end: StackEnd, watch: StartWatch): CommandFailure {
  if (end.reason === "signal") return new CommandFailure(exits.interrupted, "Stopped before it was up.");
  if (end.reason === "child-gave-up") return watch.failure(end.name);
  return new CommandFailure(exits.unavailable, `The stack ended: ${end.reason}.`);
}
