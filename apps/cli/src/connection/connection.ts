/**
 * Where the api is, and the key to it: BATON_URL and BATON_API_KEY, or the local stack that runs now.
 *
 * 1. A stack is found by the state file of its data folder, whose owner must be alive.
 * 2. Nothing is guessed: without either, the error says what to start or to set.
 */
import { join } from "node:path";
import { createClient } from "@baton/client";
import type { BatonClient } from "@baton/client";
import { findStack } from "@baton/embedded";
import { CommandFailure, exits } from "../failure.ts";
import { readLocalKey } from "../local/key.ts";
import { callersPath, openProject } from "../local/project.ts";

export interface Connection {
  readonly client: BatonClient;
  readonly apiUrl: string;
}

/** The demo's own data folder below the project's. */
export const demoFolder = (dataFolder: string): string => join(dataFolder, "demo");

export async function connect(data?: string): Promise<Connection> {
  const apiUrl = process.env["BATON_URL"]?.trim();
  const apiKey = process.env["BATON_API_KEY"]?.trim();
  if (data === undefined && apiUrl !== undefined && apiUrl !== "") return connectTo(apiUrl, apiKey);
  for (const folder of data === undefined ? localFolders() : [callersPath(data)]) {
    const state = await findStack(folder);
    const url = state?.ready === true ? state.urls["api"] : undefined;
    if (url !== undefined) return connectTo(url, await readLocalKey(folder));
  }
  throw new CommandFailure(
    exits.unavailable,
    `No Baton runs here${data === undefined ? "" : ` on ${callersPath(data)}`}. Start one with "npm run dev", or set BATON_URL and BATON_API_KEY.`,
  );
}

export function connectTo(apiUrl: string, apiKey: string | undefined): Connection {
  return { apiUrl, client: createClient({ baseUrl: apiUrl, apiKey: apiKey === "" ? undefined : apiKey }) };
}

function localFolders(): readonly string[] {
  const { folder, config } = openProject();
  const dataFolder = join(folder, config.dataFolder);
  return [dataFolder, demoFolder(dataFolder)];
}
