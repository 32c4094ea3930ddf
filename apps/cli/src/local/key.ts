/** The API key of a local stack: made once per data folder, readable by its owner alone. */
import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const keyPath = (dataDir: string): string => join(dataDir, "api-key");

export async function readLocalKey(dataDir: string): Promise<string | undefined> {
  try {
    return (await readFile(keyPath(dataDir), "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export async function ensureLocalKey(dataDir: string): Promise<string> {
  const existing = await readLocalKey(dataDir);
  if (existing !== undefined) return existing;
  await mkdir(dataDir, { recursive: true });
  const draft = `${keyPath(dataDir)}.${process.pid}`;
  await writeFile(draft, `baton_${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
  try {
    // Linked, so that of two that make one at once the first wins and nobody reads half a key.
    await link(draft, keyPath(dataDir));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await unlink(draft);
  }
  return (await readLocalKey(dataDir)) ?? "";
}
