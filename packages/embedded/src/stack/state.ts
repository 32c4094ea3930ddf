/**
 * What the owner of a data folder tells those who come later: `stack.json` (0600), beside the lock.
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "../lifetime/identity.ts";
import type { ProcessIdentity } from "../lifetime/identity.ts";

export interface StackState {
  readonly owner: ProcessIdentity;
  /** False until the owner has published its URLs. */
  readonly ready: boolean;
  readonly databaseUrl: string;
  /** By name, as the owner published them. */
  readonly urls: Readonly<Record<string, string>>;
}

export const stackPaths = {
  lock: (dataDir: string) => join(dataDir, "stack.lock"),
  state: (dataDir: string) => join(dataDir, "stack.json"),
};

/** The state of the stack that is alive in that folder. */
export async function findStack(dataDir: string): Promise<StackState | undefined> {
  try {
    const state = JSON.parse(await readFile(stackPaths.state(dataDir), "utf8")) as StackState;
    return isAlive(state.owner) ? state : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export async function writeState(dataDir: string, state: StackState): Promise<void> {
  const draft = `${stackPaths.state(dataDir)}.${randomUUID()}`;
  await writeFile(draft, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  await rename(draft, stackPaths.state(dataDir));
}
