/** Artifacts of a task, saved to disk. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import type { BatonClient } from "@baton/client";
import { CommandFailure, exits } from "../failure.ts";

export interface SavedArtifact {
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly path: string;
}

/** Throws when an artifact's name leads out of `folder`: names come from models. */
export async function saveArtifacts(client: BatonClient, taskId: string, folder: string): Promise<SavedArtifact[]> {
  const { artifacts } = await client.request("listArtifacts", { params: { id: taskId } });
  const saved: SavedArtifact[] = [];
  for (const { id, name, mediaType, sizeBytes } of artifacts) {
    const path = resolve(folder, name);
    const below = relative(folder, path);
    if (below === "" || below.startsWith("..") || isAbsolute(below)) {
      throw new CommandFailure(exits.internal, `The artifact name ${JSON.stringify(name)} leads out of ${folder}.`);
    }
    const { content } = await client.downloadArtifact(taskId, id);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    saved.push({ name, mediaType, sizeBytes, path });
  }
  return saved;
}
