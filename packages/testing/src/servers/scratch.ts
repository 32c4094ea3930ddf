/**
 * A new folder below the system's folder for temporary files, named after the process that needs it; folders of
 * processes that were killed are removed first.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export async function scratchFolder(kind: string): Promise<string> {
  const prefix = `baton-test-${kind}-`;
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(prefix));
  const left = names.filter((name) => !isRunning(Number(name.slice(prefix.length).split("-")[0])));
  // EACCES: another user's; theirs to remove. ENOTEMPTY: its server is just leaving, and the next sweep finds it.
  const sweep = (name: string) =>
    rm(join(tmpdir(), name), { recursive: true, force: true }).catch((error: NodeJS.ErrnoException) => {
      if (!["EACCES", "EPERM", "ENOTEMPTY"].includes(error.code ?? "")) throw error;
    });
  await Promise.all(left.map(sweep));
  return await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
