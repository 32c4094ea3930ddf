/**
 * A lock that a file stands for, void when the process that it names is gone. The same rules as
 * packages/embedded/src/lifetime/lock.ts, which cannot be imported before there is a Node that runs TypeScript.
 */
import { linkSync, mkdirSync, readFileSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export async function withLock(path, work) {
  while (!take(path)) {
    if (isVoid(path)) breakVoid(path);
    await delay(100);
  }
  try {
    return await work();
  } finally {
    unlinkSync(path);
  }
}

function take(path) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, identityOf(process.pid) || "");
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

function isVoid(path) {
  let holder;
  try {
    holder = readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return false;
    throw error;
  }
  return holder !== identityOf(Number(holder.split(" ")[0]));
}

/** Only whoever makes the folder removes the lock, after looking again. */
function breakVoid(path) {
  const breaker = `${path}.break`;
  try {
    mkdirSync(breaker);
  } catch (error) {
    if (error.code === "EEXIST") return;
    throw error;
  }
  try {
    if (isVoid(path)) unlinkSync(path);
  } finally {
    rmdirSync(breaker);
  }
}

/** Pid and birth, because pids are reused; elsewhere than on Linux the pid alone. */
function identityOf(pid) {
  try {
    if (process.platform !== "linux") return process.kill(pid, 0) && `${pid} alive`;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}
