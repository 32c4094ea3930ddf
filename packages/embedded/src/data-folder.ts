import { access, constants, mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { BatonError } from "@baton/core";

/** The absolute path of a data folder that exists and can be written to. */
export async function openDataFolder(folder: string): Promise<string> {
  const path = resolve(folder);
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK | constants.X_OK);
    return path;
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code;
    const message = `The data folder ${path} cannot be used (${why}). Make it writable for this user, or take another one.`;
    throw new BatonError("embedded-failed", message, { cause });
  }
}
