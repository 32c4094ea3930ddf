/** CPU time of programs from /proc (man 5 proc_pid_stat), their children included, also those that have ended. */
import { readdirSync, readFileSync } from "node:fs";

/** sysconf(_SC_CLK_TCK): 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Seconds of user and system time so far; 0 where there is no /proc. */
export function cpuSecondsOf(pids: readonly number[]): number {
  const rows = new Map<number, { parent: number; ticks: number }>();
  for (const pid of listPids()) {
    const fields = readStat(pid);
    // After the name: state, ppid, …; utime, stime, cutime and cstime are the 12th to the 15th.
    if (fields) rows.set(pid, { parent: Number(fields[1]), ticks: sum(fields.slice(11, 15).map(Number)) });
  }
  const counted = new Set<number>();
  const count = (pid: number): number => {
    if (counted.has(pid)) return 0;
    counted.add(pid);
    const children = [...rows].filter(([, { parent }]) => parent === pid).map(([child]) => count(child));
    return (rows.get(pid)?.ticks ?? 0) + sum(children);
  };
  return sum(pids.map(count)) / ticksPerSecond;
}

function listPids(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function readStat(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
