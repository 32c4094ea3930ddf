/**
 * What a process has used, from /proc: processor time and memory.
 *
 * 1. Processor time is what the kernel accounts, so other work on the machine does not change it; it moves in steps
 *    of 10 ms.
 */
import { readdirSync, readFileSync } from "node:fs";

/** `sysconf(_SC_CLK_TCK)`, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

interface Stat {
  readonly parent: number;
  /** Seconds of the process itself, all its threads included. */
  readonly own: number;
  /** Seconds of its ended children that it has waited for. */
  readonly ended: number;
}

function statOf(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The name stands in parentheses and may contain anything; proc(5) numbers the fields from 1, the state is 3.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    parent: field(4),
    own: (field(14) + field(15)) / ticksPerSecond,
    ended: (field(16) + field(17)) / ticksPerSecond,
  };
}

/** Processor seconds since its start; 0 when it has ended. */
export function processorSeconds(pid: number): number {
  return statOf(pid)?.own ?? 0;
}

/** The same with all its children, living and ended: PostgreSQL has one process per connection. */
export function treeSeconds(pid: number): number {
  const root = statOf(pid);
  if (root === undefined) return 0;
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat?.parent === pid);
  return children.reduce((sum, child) => sum + (child?.own ?? 0) + (child?.ended ?? 0), root.own + root.ended);
}

/** Resident memory in MB (2^20 bytes); 0 when the process has ended. */
export function residentMegabytes(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kilobytes ?? 0) / 1024;
  } catch {
    return 0;
  }
}
