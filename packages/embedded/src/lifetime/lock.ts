/**
 * A lock that a file stands for, held by a process and void when that process is gone.
 *
 * 1. The file appears with its content (link(2)), so no reader sees a lock without a holder.
 * 2. A void lock is taken away only by whoever made the `.break` folder, after looking again: two that find
 *    the same void lock can never remove a live one.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, rmdir, stat, unlink, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { BatonError } from "@baton/core";
import { isAlive, ownIdentity } from "./identity.ts";
import type { ProcessIdentity } from "./identity.ts";

export interface Lock {
  release(): Promise<void>;
}

/** The lock, or the process that holds it. */
export async function tryLock(path: string): Promise<Lock | ProcessIdentity> {
  for (;;) {
    const draft = `${path}.${randomUUID()}`;
    await writeFile(draft, JSON.stringify(ownIdentity()), { mode: 0o644 });
    try {
      await link(draft, path);
      return { release: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      await unlink(draft);
    }
    const holder = await holderOf(path);
    if (holder !== undefined && isAlive(holder)) return holder;
    if (holder !== undefined) await breakVoid(path);
  }
}

/** Runs `work` alone among all processes that name the same path. */
export async function withLock<T>(path: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const until = performance.now() + waitMs;
  for (;;) {
    const lock = await tryLock(path);
    if ("release" in lock) {
      try {
        return await work();
      } finally {
        await lock.release();
      }
    }
    if (performance.now() > until) {
      throw new BatonError(
        "embedded-failed",
        `${path} has been held by process ${lock.pid} for ${waitMs} ms. End that process, or take another data folder.`,
      );
    }
    await delay(25);
  }
}

async function holderOf(path: string): Promise<ProcessIdentity | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as ProcessIdentity;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    // Not JSON: no lock of ours reads like that (a power cut can leave it empty), so nobody holds it.
    if (error instanceof SyntaxError) return { pid: 0, born: "" };
    throw error;
  }
}

async function breakVoid(path: string): Promise<void> {
  const breaker = `${path}.break`;
  try {
    await mkdir(breaker);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    // It is held for microseconds; one that is ten seconds old belongs to a process that was killed inside.
    const age = await stat(breaker).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > 10_000) await rmdir(breaker).catch(() => undefined);
    await delay(10);
    return;
  }
  try {
    const holder = await holderOf(path);
    if (holder !== undefined && !isAlive(holder)) await rm(path, { force: true });
  } finally {
    await rmdir(breaker);
  }
}
