/**
 * The local stack: PostgreSQL, api and workers as one thing that starts, stays and leaves together.
 *
 * Purpose: what `dev` and `demo` stand on. Boundary: it knows programs, not what they do; migrations and health are
 * the caller's callbacks.
 *
 * 1. One owner per data folder (`stack.lock`). Who comes second gets the owner's URLs.
 * 2. Stopping goes in order, each stage bounded: children first, PostgreSQL last, then the lock.
 * 3. SIGINT, SIGTERM and SIGHUP stop it; a second one, later than a second after, kills the children at once. (npm,
 *    the terminal and the bootstrap may each deliver the same Ctrl-C.)
 * 4. Killed, it leaves no process: children and server watch its pipes. Its lock and state name a dead process then,
 *    and are void.
 * 5. A PostgreSQL that ends unasked is started again on the same port, under the same URL.
 */
import { rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { BatonError } from "@baton/core";
import { openDataFolder } from "../data-folder.ts";
import { isAlive, ownIdentity } from "../lifetime/identity.ts";
import type { ProcessIdentity } from "../lifetime/identity.ts";
import { tryLock } from "../lifetime/lock.ts";
import type { Lock } from "../lifetime/lock.ts";
import { startPostgres } from "../postgres/postgres.ts";
import type { EmbeddedPostgres, PostgresOptions } from "../postgres/postgres.ts";
import { superviseChild } from "./child.ts";
import type { ChildObserver, ChildProgram, SupervisedChild } from "./child.ts";
import { findStack, stackPaths, writeState } from "./state.ts";

export interface StackOptions extends Partial<ChildObserver> {
  readonly dataDir: string;
  /** A database of the user's own; absent: a private one below `dataDir`. */
  readonly databaseUrl?: string;
  readonly settings?: PostgresOptions["settings"];
  /** The programs to run, in order of their start; called when the database answers (migrate here). */
  children(databaseUrl: string, stopping: AbortSignal): Promise<readonly ChildProgram[]>;
  /** How long children may take from SIGTERM to their end. Default 10,000. */
  readonly graceMs?: number;
}

export type StackEnd =
  | { readonly reason: "stopped" }
  | { readonly reason: "signal"; readonly signal: NodeJS.Signals }
  | { readonly reason: "child-gave-up"; readonly name: string }
  | { readonly reason: "postgres-ended" };

export interface Stack {
  /** True: another process owns it; `stop()` leaves it alone, and `ended` never settles. */
  readonly attached: boolean;
  readonly dataDir: string;
  readonly databaseUrl: string;
  /** What the owner has published; empty for the owner itself until it does. */
  readonly urls: Readonly<Record<string, string>>;
  /** Tells those who attach that the stack is ready, and where. */
  publish(urls: Readonly<Record<string, string>>): Promise<void>;
  /** Settles when everything has been stopped, with what began it. */
  readonly ended: Promise<StackEnd>;
  stop(): Promise<StackEnd>;
}

const attachLimitMs = 120_000;
const sameSignalMs = 1_000;
const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function superviseStack(options: StackOptions): Promise<Stack> {
  const dataDir = await openDataFolder(options.dataDir);
  const until = performance.now() + attachLimitMs;
  for (;;) {
    const lock = await tryLock(stackPaths.lock(dataDir));
    if ("release" in lock) return await new OwnedStack(options, dataDir, lock).start();
    const attached = await attach(dataDir, lock, until);
    if (attached) return attached;
  }
}

/** The owner's stack once it is ready; undefined when the owner has gone. */
async function attach(dataDir: string, owner: ProcessIdentity, until: number): Promise<Stack | undefined> {
  while (isAlive(owner)) {
    const state = await findStack(dataDir);
    if (state?.ready) {
      return {
        attached: true,
        dataDir,
        databaseUrl: state.databaseUrl,
        urls: state.urls,
        publish: () => Promise.reject(new BatonError("internal", "Only the owner of a stack publishes its URLs.")),
        ended: new Promise(() => undefined),
        stop: () => Promise.resolve({ reason: "stopped" }),
      };
    }
    if (performance.now() > until) {
      throw new BatonError(
        "embedded-failed",
        `The data folder ${dataDir} is in use by process ${owner.pid}, which is not ready. Wait for it, end it, or take another data folder.`,
      );
    }
    await delay(50);
  }
  return undefined;
}

class OwnedStack implements Stack {
  readonly attached = false;
  readonly dataDir: string;
  readonly ended: Promise<StackEnd>;
  databaseUrl = "";
  urls: Readonly<Record<string, string>> = {};
  readonly #options: StackOptions;
  readonly #lock: Lock;
  readonly #stopping = new AbortController();
  readonly #children: SupervisedChild[] = [];
  #postgres: EmbeddedPostgres | undefined;
  #end: StackEnd | undefined;
  #signalledAt = 0;
  #started: Promise<void> = Promise.resolve();
  #settle: (end: Promise<StackEnd>) => void = () => undefined;

  constructor(options: StackOptions, dataDir: string, lock: Lock) {
    this.#options = options;
    this.dataDir = dataDir;
    this.#lock = lock;
    this.ended = new Promise((settle) => {
      this.#settle = settle;
    });
  }

  async start(): Promise<Stack> {
    for (const signal of stopSignals) process.on(signal, this.#onSignal);
    process.on("exit", this.#onExit);
    this.#started = this.#startAll();
    try {
      await this.#started;
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this;
  }

  async publish(urls: Readonly<Record<string, string>>): Promise<void> {
    this.urls = urls;
    await this.#writeState(true);
  }

  stop(): Promise<StackEnd> {
    this.#begin({ reason: "stopped" });
    return this.ended;
  }

  async #startAll(): Promise<void> {
    await this.#startDatabase();
    await this.#writeState(false);
    if (this.#stopping.signal.aborted) return;
    const programs = await this.#options.children(this.databaseUrl, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    const observer: ChildObserver = {
      onLine: (line) => this.#options.onLine?.(line),
      onChild: (event) => this.#options.onChild?.(event),
    };
    for (const program of programs) {
      const child = superviseChild(program, observer);
      this.#children.push(child);
      void child.gaveUp.then((gaveUp) => gaveUp && this.#begin({ reason: "child-gave-up", name: program.name }));
    }
  }

  async #startDatabase(): Promise<void> {
    if (this.#options.databaseUrl !== undefined) {
      this.databaseUrl = this.#options.databaseUrl;
      return;
    }
    const settings = this.#options.settings ?? {};
    const postgres = await startPostgres({ dataDir: this.dataDir, durable: true, settings });
    this.#postgres = postgres;
    this.databaseUrl ||= postgres.url;
    void postgres.exited.then(() => this.#restartDatabase());
  }

  async #restartDatabase(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    try {
      await this.#startDatabase();
      if (this.#postgres?.url === this.databaseUrl) return;
    } catch (error) {
      this.#options.onLine?.({ name: "postgres", stream: "stderr", text: (error as Error).message });
    }
    this.#begin({ reason: "postgres-ended" });
  }

  #begin(end: StackEnd): void {
    if (this.#end) return;
    this.#end = end;
    this.#stopping.abort();
    this.#settle(this.#stopAll(end));
  }

  async #stopAll(end: StackEnd): Promise<StackEnd> {
    // Whatever the start still does comes to its end first; its failure is thrown to its caller.
    await this.#started.catch(() => undefined);
    await Promise.all(this.#children.map((child) => child.stop(this.#options.graceMs ?? 10_000)));
    await this.#postgres?.stop();
    rmSync(stackPaths.state(this.dataDir), { force: true });
    await this.#lock.release();
    process.off("exit", this.#onExit);
    for (const signal of stopSignals) process.off(signal, this.#onSignal);
    return end;
  }

  async #writeState(ready: boolean): Promise<void> {
    const { databaseUrl, urls } = this;
    await writeState(this.dataDir, { owner: ownIdentity(), ready, databaseUrl, urls });
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (this.#end === undefined) this.#signalledAt = now;
    else if (now - this.#signalledAt > sameSignalMs) for (const child of this.#children) child.killNow();
    this.#begin({ reason: "signal", signal });
  };

  readonly #onExit = (): void => {
    rmSync(stackPaths.state(this.dataDir), { force: true });
    rmSync(stackPaths.lock(this.dataDir), { force: true });
  };
}
