/**
 * Which process that was: a pid alone is reused, also across a restart of the machine.
 * A zombie counts as dead: it holds nothing any more.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: equal for the same life of a process only. */
  readonly born: string;
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const born = process.platform === "linux" ? bornOnLinux(pid) : bornByPs(pid);
  return born === undefined ? undefined : { pid, born };
}

export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid) ?? { pid: process.pid, born: "unknown" };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.born === identity.born;
}

function bornOnLinux(pid: number): string | undefined {
  const stat = readOrUndefined(`/proc/${pid}/stat`);
  // proc(5): the second field may hold spaces and brackets; state is the third field, starttime the 22nd.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, ticks] = [fields?.[0], fields?.[19]];
  if (ticks === undefined || state === "Z" || state === "X") return undefined;
  return `${readOrUndefined("/proc/sys/kernel/random/boot_id")?.trim() ?? ""}/${ticks}`;
}

function bornByPs(pid: number): string | undefined {
  const ps = spawnSync("ps", ["-o", "state=,lstart=", "-p", String(pid)], { encoding: "utf8" });
  const line = ps.stdout?.trim() ?? "";
  return line === "" || line.startsWith("Z") ? undefined : line.replace(/^\S+\s+/, "");
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
